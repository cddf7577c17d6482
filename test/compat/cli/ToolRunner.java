import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Function;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;

/**
 * Runs Apache Kafka's own command-line tools, many in one JVM: each through its {@code main}, with
 * its input given, its output captured, and its exit and shutdown hooks taken over. Prints a
 * transcript of what each said and how it exited.
 */
final class ToolRunner {
    private static final PrintStream TRANSCRIPT = System.out;
    private static final PrintStream DIAGNOSTICS = System.err;
    private static final InheritableThreadLocal<Run> CURRENT = new InheritableThreadLocal<>();

    /**
     * Tools that count in static fields: each run gets classes of its own, as in a process of its
     * own.
     */
    private static final Set<String> KEEP_STATICS =
            Set.of("org.apache.kafka.tools.consumer.ConsoleConsumer");

    private final URL[] jars;
    private final ClassLoader shared;
    private final String bootstrap;

    ToolRunner(Path libs, String bootstrap) throws Exception {
        List<URL> urls = new ArrayList<>();
        try (var files = Files.newDirectoryStream(libs, "*.jar")) {
            for (Path file : files) {
                urls.add(file.toUri().toURL());
            }
        }
        this.jars = urls.toArray(URL[]::new);
        this.shared = newLoader();
        this.bootstrap = bootstrap;
    }

    private ClassLoader newLoader() {
        return new URLClassLoader(jars, ClassLoader.getPlatformClassLoader());
    }

    /**
     * Arguments: the directory of Kafka's jars, the bootstrap address, the prefix of topics and
     * groups.
     */
    public static void main(String[] args) throws Exception {
        System.setOut(dispatching(run -> run.stdout, TRANSCRIPT));
        System.setErr(dispatching(run -> run.stderr, DIAGNOSTICS));
        ToolRunner runner = new ToolRunner(Path.of(args[0]), args[1]);
        boolean complete = true;
        for (Scenarios.Scenario scenario : Scenarios.all(runner, args[2])) {
            long startedAt = System.nanoTime();
            try {
                scenario.steps().run();
            } catch (Exception | Error failure) {
                complete = false;
                CURRENT.remove();
                TRANSCRIPT.println("{\"at\":" + json(scenario.name() + "/failed") + "}");
                failure.printStackTrace(DIAGNOSTICS);
            }
            DIAGNOSTICS.printf(
                    "%s: %d ms%n", scenario.name(), (System.nanoTime() - startedAt) / 1_000_000);
        }
        TRANSCRIPT.flush();
        Runtime.getRuntime().halt(complete ? 0 : 1);
    }

    /** Ends a tool where it called Exit; an Error, because tools catch every Exception. */
    private static final class Exited extends Error {
        private static final long serialVersionUID = 1;

        Exited() {
            super(null, null, false, false);
        }
    }

    /**
     * One tool in its run: what it printed, how it exited, and what it wants done at the end of its
     * process.
     */
    static final class Run {
        final ByteArrayOutputStream stdout = new ByteArrayOutputStream();
        final ByteArrayOutputStream stderr = new ByteArrayOutputStream();
        final Queue<Runnable> shutdownHooks = new ConcurrentLinkedQueue<>();
        private Integer status;
        private int stderrBytesAtExit;

        /** The first call counts: some tools catch what this throws, print it, and exit again. */
        void exit(int wanted) {
            if (status == null) {
                status = wanted;
                stderrBytesAtExit = stderr.size();
            }
            throw new Exited();
        }

        void end() {
            for (Runnable hook = shutdownHooks.poll(); hook != null; hook = shutdownHooks.poll()) {
                hook.run();
            }
        }

        int status() {
            return status == null ? 0 : status;
        }

        List<String> stdoutLines() {
            return lines(stdout.toString(StandardCharsets.UTF_8));
        }

        List<String> stderrLines() {
            int length = status == null ? stderr.size() : stderrBytesAtExit;
            return lines(new String(stderr.toByteArray(), 0, length, StandardCharsets.UTF_8));
        }
    }

    /** Runs a tool to its end; {@code arguments} come after --bootstrap-server. */
    Run run(String toolClass, String input, String... arguments) throws Exception {
        Run run = new Run();
        runInto(run, toolClass, input, arguments);
        return run;
    }

    /** The same, with the run visible to another thread while it lasts. */
    void runInto(Run run, String toolClass, String input, String... arguments) throws Exception {
        CURRENT.set(run);
        InputStream before = System.in;
        System.setIn(new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)));
        try {
            ClassLoader loader = KEEP_STATICS.contains(toolClass) ? newLoader() : shared;
            Thread.currentThread().setContextClassLoader(loader);
            replaceExit(loader, run);
            List<String> all = new ArrayList<>(List.of("--bootstrap-server", bootstrap));
            all.addAll(List.of(arguments));
            invokeMain(loader.loadClass(toolClass), all);
            run.end();
        } finally {
            System.setIn(before);
            CURRENT.remove();
        }
    }

    private static void invokeMain(Class<?> tool, List<String> arguments) throws Exception {
        try {
            tool.getMethod("main", String[].class)
                    .invoke(null, (Object) arguments.toArray(String[]::new));
        } catch (InvocationTargetException failure) {
            if (!(failure.getCause() instanceof Exited)) {
                throw failure;
            }
        }
    }

    /** Runs a tool and prints its outcome as one line of the transcript. */
    void show(String at, String toolClass, String input, String... arguments) throws Exception {
        Run run = run(toolClass, input, arguments);
        TRANSCRIPT.println(
                "{\"at\":"
                        + json(at)
                        + ",\"exit\":"
                        + run.status()
                        + ",\"stdout\":"
                        + json(run.stdoutLines())
                        + ",\"stderr\":"
                        + json(run.stderrLines())
                        + "}");
    }

    /**
     * The same for a tool that lists what others made too: prints only the lines with {@code
     * wanted}, sorted.
     */
    void showLinesWith(String wanted, String at, String toolClass, String... arguments)
            throws Exception {
        Run run = run(toolClass, "", arguments);
        List<String> lines =
                run.stdoutLines().stream().filter(line -> line.contains(wanted)).sorted().toList();
        TRANSCRIPT.println(
                "{\"at\":"
                        + json(at)
                        + ",\"exit\":"
                        + run.status()
                        + ",\"lines\":"
                        + json(lines)
                        + "}");
    }

    /** The same for a tool with much to say: one line of the transcript for each of its own. */
    void showEachLine(String at, String toolClass, String... arguments) throws Exception {
        Run run = run(toolClass, "", arguments);
        run.stdoutLines()
                .forEach(
                        line ->
                                TRANSCRIPT.println(
                                        "{\"at\":"
                                                + json(at + "/" + line.split("[=: ]")[0])
                                                + ",\"line\":"
                                                + json(line)
                                                + "}"));
        TRANSCRIPT.println("{\"at\":" + json(at) + ",\"exit\":" + run.status() + "}");
    }

    private static void replaceExit(ClassLoader loader, Run run) throws Exception {
        Class<?> exit = loader.loadClass("org.apache.kafka.common.utils.Exit");
        Class<?> procedure = loader.loadClass("org.apache.kafka.common.utils.Exit$Procedure");
        Object leave =
                Proxy.newProxyInstance(
                        loader,
                        new Class<?>[] {procedure},
                        (proxy, method, args) -> {
                            run.exit((Integer) args[0]);
                            return null;
                        });
        exit.getMethod("setExitProcedure", procedure).invoke(null, leave);
        exit.getMethod("setHaltProcedure", procedure).invoke(null, leave);
        Class<?> adder = loader.loadClass("org.apache.kafka.common.utils.Exit$ShutdownHookAdder");
        Object keep =
                Proxy.newProxyInstance(
                        loader,
                        new Class<?>[] {adder},
                        (proxy, method, args) -> {
                            run.shutdownHooks.add((Runnable) args[1]);
                            return null;
                        });
        exit.getMethod("setShutdownHookAdder", adder).invoke(null, keep);
    }

    private static PrintStream dispatching(
            Function<Run, OutputStream> captured, PrintStream otherwise) {
        return new PrintStream(
                new OutputStream() {
                    @Override
                    public void write(int value) throws IOException {
                        Run run = CURRENT.get();
                        (run == null ? otherwise : captured.apply(run)).write(value);
                    }
                },
                true);
    }

    private static List<String> lines(String captured) {
        return captured.lines()
                .filter(
                        line ->
                                !line.isBlank()
                                        && !line.startsWith("SLF4J:")
                                        && !line.contains(" millrace."))
                .filter(line -> !line.matches("\\s+at .*|\\s+\\.\\.\\. \\d+ more"))
                .map(ToolRunner::masked)
                .toList();
    }

    /**
     * Replaces what differs between brokers: ids, paths, sizes above zero, times, the width of
     * columns, and the sentences that a broker adds to an error (its code, the exception's name,
     * stays).
     */
    private static String masked(String line) {
        String plain =
                line.replaceAll("\\[\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d,\\d+\\]", "[TIME]")
                        .replaceAll("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID")
                        .replaceAll("TopicId: \\S+", "TopicId: ID")
                        .replaceAll("(Leader|Replicas|Isr): \\d+", "$1: NODE")
                        .replaceAll("(:\\d+) +\\(\\d+\\)", "$1 (NODE)")
                        .replaceAll("(broker[s\" :\\[]+)\\d+", "$1NODE")
                        .replaceAll("\"logDir\":\"[^\"]*\"", "\"logDir\":\"DIR\"")
                        .replaceAll("\"size\":[1-9]\\d*", "\"size\":\"SOME\"")
                        .replaceAll("(errors\\.\\w+): .*", "$1: SENTENCE")
                        .replaceAll(
                                "(executing topic command : )(?!.* does not exist as expected).*",
                                "$1SENTENCE")
                        .replaceAll("CreateTime:\\d+", "CreateTime:TIME");
        return Pattern.compile("[ \\t]+")
                .matcher(plain)
                .replaceAll((MatchResult spaces) -> " ")
                .strip();
    }

    private static String json(List<String> lines) {
        return lines.stream().map(ToolRunner::json).toList().toString();
    }

    private static String json(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') {
                quoted.append('\\').append(c);
            } else if (c < 0x20 || c > 0x7e) {
                quoted.append(String.format("\\u%04x", (int) c));
            } else {
                quoted.append(c);
            }
        }
        return quoted.append('"').toString();
    }
}
