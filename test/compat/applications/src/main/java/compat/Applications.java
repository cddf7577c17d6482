package compat;

import org.apache.kafka.clients.admin.Admin;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.ExecutionException;

/**
 * Applications that are built on Kafka, run inside this process against a broker: prints the
 * transcript that test/compat/scenarios.md describes.
 */
public final class Applications {
    private static final long WAIT_NANOS_MAX = 60_000_000_000L;
    private static final long PAUSE_MS = 100;

    interface Condition {
        boolean holds() throws Exception;
    }

    public static void main(String[] args) {
        boolean complete = true;
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", args[0]))) {
            Context context = new Context(args[0], args[1], admin);
            for (Map.Entry<String, Scenario> entry : scenarios().entrySet()) {
                complete &= entry.getValue().completes(entry.getKey(), context);
            }
        }
        System.exit(complete ? 0 : 1);
    }

    private static Map<String, Scenario> scenarios() {
        Map<String, Scenario> scenarios = new LinkedHashMap<>();
        scenarios.put("streams", StreamsScenarios::streams);
        scenarios.put("connect", ConnectScenarios::connect);
        scenarios.put("mirror", MirrorScenarios::mirror);
        return scenarios;
    }

    /**
     * Tries again until the condition holds; fails after a minute. What is not there yet refuses:
     * that is a reason to try again too.
     */
    static void until(String what, Condition condition) throws Exception {
        long deadline = System.nanoTime() + WAIT_NANOS_MAX;
        Exception refused = null;
        while (System.nanoTime() < deadline) {
            try {
                if (condition.holds()) {
                    return;
                }
                refused = null;
            } catch (ExecutionException notYet) {
                refused = notYet;
            }
            Thread.sleep(PAUSE_MS);
        }
        throw new IllegalStateException("waited too long for " + what, refused);
    }
}
