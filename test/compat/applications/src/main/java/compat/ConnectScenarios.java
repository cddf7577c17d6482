package compat;

import static compat.Transcript.emit;

import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.config.TopicConfig;
import org.apache.kafka.connect.cli.ConnectDistributed;
import org.apache.kafka.connect.runtime.Connect;
import org.apache.kafka.connect.runtime.distributed.DistributedHerder;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/** Two workers of a Connect cluster, with a source that reads a file and a sink that writes one. */
final class ConnectScenarios {
    private static final Pattern WORKER = Pattern.compile("127\\.0\\.0\\.1:\\d+");
    private static final int LINE_BYTES = 4;

    private final Context context;
    private final String source;
    private final String sink;
    private final String topic;
    private final Path input;
    private final Path output;
    private final HttpClient http = HttpClient.newHttpClient();

    private ConnectScenarios(Context context) throws IOException {
        this.context = context;
        this.source = context.name("lines-source");
        this.sink = context.name("lines-sink");
        this.topic = context.name("lines");
        this.input = Files.createTempFile("lines", ".in");
        this.output = Files.createTempFile("lines", ".out");
        input.toFile().deleteOnExit();
        output.toFile().deleteOnExit();
    }

    static void connect(Context context) throws Exception {
        new ConnectScenarios(context).run();
    }

    private void run() throws Exception {
        context.createTopic(topic, 1, Map.of());
        Connect<DistributedHerder> first = start();
        Connect<DistributedHerder> second = start();
        try {
            String worker = first.rest().advertisedUrl().toString();
            Applications.until(
                    "the workers", () -> ask(worker, "GET", "connectors", "").statusCode() == 200);
            write(0, 100);
            create(worker);
            Applications.until("the first lines", () -> lines().size() == 100);
            Applications.until("tasks on both workers", () -> workers(worker) == 2);
            emit("connect/two-workers", "lines", lines().size());
            second.stop();
            second.awaitStop();
            Applications.until("tasks on one worker", () -> workers(worker) == 1);
            write(100, 200);
            Applications.until("lines after that", () -> lines().size() == 200);
            emit("connect/one-worker", "inOrder", lines().equals(numbers(0, 200)));
            offsets(worker);
            showTopics();
        } finally {
            second.stop();
            first.stop();
            first.awaitStop();
        }
    }

    private Connect<DistributedHerder> start() {
        Map<String, String> configs = new HashMap<>();
        configs.put("bootstrap.servers", context.bootstrap());
        configs.put("group.id", context.name("connect"));
        configs.put("key.converter", "org.apache.kafka.connect.storage.StringConverter");
        configs.put("value.converter", "org.apache.kafka.connect.storage.StringConverter");
        for (String store : List.of("offset", "config", "status")) {
            configs.put(store + ".storage.topic", context.name("connect-" + store));
            configs.put(store + ".storage.replication.factor", "1");
        }
        configs.put("offset.flush.interval.ms", "200");
        configs.put("scheduled.rebalance.max.delay.ms", "1000");
        configs.put("heartbeat.interval.ms", "300");
        configs.put("listeners", "http://127.0.0.1:0");
        configs.put("plugin.discovery", "service_load");
        return new ConnectDistributed().startConnect(configs);
    }

    private void create(String worker) throws Exception {
        String sourceConfig =
                """
                {"connector.class": "FileStreamSource", "tasks.max": "1",
                 "file": "%s", "topic": "%s"}"""
                        .formatted(input, topic);
        String sinkConfig =
                """
                {"connector.class": "FileStreamSink", "tasks.max": "1",
                 "file": "%s", "topics": "%s",
                 "consumer.override.heartbeat.interval.ms": "300"}"""
                        .formatted(output, topic);
        emit(
                "connect/created",
                "source",
                ask(worker, "PUT", "connectors/" + source + "/config", sourceConfig).statusCode(),
                "sink",
                ask(worker, "PUT", "connectors/" + sink + "/config", sinkConfig).statusCode());
    }

    /** Offsets of stopped connectors: of the source in a topic, of the sink in its group. */
    private void offsets(String worker) throws Exception {
        Applications.until("its offset", () -> offsetsOf(worker, source).contains(":800}"));
        Applications.until("its offset", () -> offsetsOf(worker, sink).contains(":200}"));
        showOffsets("connect/offsets", worker);
        stop(worker);
        String file = "{\"filename\":\"" + input + "\"}";
        String partition = "{\"kafka_topic\":\"" + topic + "\",\"kafka_partition\":0}";
        patch(worker, source, file, "{\"position\":" + 100 * LINE_BYTES + "}");
        patch(worker, sink, partition, "{\"kafka_offset\":150}");
        showOffsets("connect/rewound", worker);
        each("PUT", worker, "/resume");
        Applications.until("the lines again", () -> lines().size() == 200 + 50 + 100);
        emit("connect/read-again", "inOrder", lines().subList(250, 350).equals(numbers(100, 200)));
        stop(worker);
        each("DELETE", worker, "/offsets");
        showOffsets("connect/reset", worker);
        each("DELETE", worker, "");
        Applications.until(
                "the end", () -> ask(worker, "GET", "connectors", "").body().equals("[]"));
    }

    private void stop(String worker) throws Exception {
        each("PUT", worker, "/stop");
        for (String connector : List.of(source, sink)) {
            Applications.until(
                    "the stop", () -> status(worker, connector).contains("\"tasks\":[]"));
        }
    }

    private void each(String method, String worker, String what) throws Exception {
        for (String connector : List.of(source, sink)) {
            Applications.until(
                    method + " " + what,
                    () -> ask(worker, method, path(connector) + what, "").statusCode() < 300);
        }
    }

    private void patch(String worker, String connector, String partition, String offset)
            throws Exception {
        String body =
                """
                {"offsets": [{"partition": %s, "offset": %s}]}"""
                        .formatted(partition, offset);
        var answer = ask(worker, "PATCH", path(connector) + "/offsets", body);
        emit("connect/patched", "status", answer.statusCode(), "said", answer.body());
    }

    private void showOffsets(String at, String worker) throws Exception {
        emit(
                at,
                "source",
                offsetsOf(worker, source).replace(input.toString(), "FILE"),
                "sink",
                offsetsOf(worker, sink));
    }

    private String offsetsOf(String worker, String connector) throws Exception {
        return ask(worker, "GET", path(connector) + "/offsets", "").body();
    }

    private void showTopics() throws Exception {
        Map<String, String> policies = new TreeMap<>();
        for (String store : List.of("offset", "config", "status")) {
            String name = context.name("connect-" + store);
            ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, name);
            var described = context.admin().describeConfigs(List.of(resource)).all().get();
            String policy = TopicConfig.CLEANUP_POLICY_CONFIG;
            policies.put(name, described.get(resource).get(policy).value());
        }
        emit("connect/topics", "policies", policies);
    }

    /** How many workers the two connectors and their tasks are on, where all of them run. */
    private long workers(String worker) throws Exception {
        String all = status(worker, source) + status(worker, sink);
        if (all.split("RUNNING", -1).length != 5) {
            return 0;
        }
        return WORKER.matcher(all).results().map(MatchResult::group).distinct().count();
    }

    private String status(String worker, String connector) throws Exception {
        return ask(worker, "GET", path(connector) + "/status", "").body();
    }

    private static String path(String connector) {
        return "connectors/" + connector;
    }

    private HttpResponse<String> ask(String worker, String method, String path, String body)
            throws Exception {
        HttpRequest request =
                HttpRequest.newBuilder(URI.create(worker + path))
                        .header("content-type", "application/json")
                        .method(method, BodyPublishers.ofString(body))
                        .build();
        return http.send(request, BodyHandlers.ofString());
    }

    private void write(int from, int to) throws IOException {
        Files.write(input, numbers(from, to), StandardOpenOption.APPEND);
    }

    private List<String> lines() throws IOException {
        return Files.readAllLines(output);
    }

    /** Lines of one length, so that a position in the file follows from a number. */
    private static List<String> numbers(int from, int to) {
        return IntStream.range(from, to).mapToObj(number -> "%03d".formatted(number)).toList();
    }
}
