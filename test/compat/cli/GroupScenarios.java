import java.util.concurrent.FutureTask;

/** kafka-consumer-groups, on a group that has no member, has one, and has none again. */
final class GroupScenarios {
    private static final String GROUPS =
            "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
    private static final int STATE_ATTEMPTS_MAX = 30;

    private final ToolRunner tools;
    private final String prefix;

    GroupScenarios(ToolRunner tools, String prefix) {
        this.tools = tools;
        this.prefix = prefix;
    }

    private String name(String suffix) {
        return prefix + suffix;
    }

    void groupAdmin() throws Exception {
        String topic = name("created");
        String[] group = {"--group", name("group")};
        tools.show(
                "group-admin/describe-unknown",
                GROUPS,
                Scenarios.NONE,
                Scenarios.with(group, "--describe"));
        tools.show(
                "group-admin/consumed",
                Scenarios.CONSUMER,
                Scenarios.NONE,
                Scenarios.with(
                        group,
                        "--topic",
                        topic,
                        "--from-beginning",
                        "--max-messages",
                        "3",
                        "--timeout-ms",
                        "10000"));
        tools.showLinesWith(
                name("group"), "group-admin/list", GROUPS, "--list", "--state", "empty");
        tools.showLinesWith(
                name("group"), "group-admin/list-types", GROUPS, "--list", "--type", "classic");
        tools.show(
                "group-admin/describe",
                GROUPS,
                Scenarios.NONE,
                Scenarios.with(group, "--describe"));
        tools.show(
                "group-admin/describe-state",
                GROUPS,
                Scenarios.NONE,
                Scenarios.with(group, "--describe", "--state"));
        withMember(
                topic,
                () -> {
                    tools.show(
                            "group-admin/describe-with-member",
                            GROUPS,
                            Scenarios.NONE,
                            Scenarios.with(group, "--describe"));
                    tools.show(
                            "group-admin/describe-members",
                            GROUPS,
                            Scenarios.NONE,
                            Scenarios.with(group, "--describe", "--members", "--verbose"));
                    tools.show(
                            "group-admin/describe-state-with-member",
                            GROUPS,
                            Scenarios.NONE,
                            Scenarios.with(group, "--describe", "--state"));
                    tools.show(
                            "group-admin/reset-with-member",
                            GROUPS,
                            Scenarios.NONE,
                            Scenarios.with(
                                    group,
                                    "--reset-offsets",
                                    "--to-earliest",
                                    "--topic",
                                    topic,
                                    "--execute"));
                    tools.show(
                            "group-admin/delete-offsets-of-subscribed",
                            GROUPS,
                            Scenarios.NONE,
                            Scenarios.with(group, "--delete-offsets", "--topic", topic));
                    tools.show(
                            "group-admin/delete-with-member",
                            GROUPS,
                            Scenarios.NONE,
                            Scenarios.with(group, "--delete"));
                });
        tools.show(
                "group-admin/reset-dry-run",
                GROUPS,
                Scenarios.NONE,
                Scenarios.with(
                        group,
                        "--reset-offsets",
                        "--shift-by",
                        "-2",
                        "--topic",
                        topic,
                        "--dry-run"));
        tools.show(
                "group-admin/reset",
                GROUPS,
                Scenarios.NONE,
                Scenarios.with(
                        group,
                        "--reset-offsets",
                        "--to-offset",
                        "1",
                        "--topic",
                        topic + ":0",
                        "--execute"));
        tools.show(
                "group-admin/reset-to-time",
                GROUPS,
                Scenarios.NONE,
                Scenarios.with(
                        group,
                        "--reset-offsets",
                        "--to-datetime",
                        "2020-01-01T00:00:00.000",
                        "--topic",
                        topic,
                        "--execute"));
        tools.show(
                "group-admin/delete-offsets",
                GROUPS,
                Scenarios.NONE,
                Scenarios.with(group, "--delete-offsets", "--topic", topic));
        tools.show("group-admin/delete", GROUPS, Scenarios.NONE, Scenarios.with(group, "--delete"));
        tools.show(
                "group-admin/delete-again",
                GROUPS,
                Scenarios.NONE,
                Scenarios.with(group, "--delete"));
    }

    /** Runs the steps while a console consumer is a member of the group. */
    private void withMember(String topic, Scenarios.Steps steps) throws Exception {
        ToolRunner.Run run = new ToolRunner.Run();
        FutureTask<Void> member =
                new FutureTask<>(
                        () -> {
                            tools.runInto(
                                    run,
                                    Scenarios.CONSUMER,
                                    Scenarios.NONE,
                                    "--group",
                                    name("group"),
                                    "--topic",
                                    topic,
                                    "--command-property",
                                    "enable.auto.commit=false");
                            return null;
                        });
        new Thread(member).start();
        try {
            ToolRunner.Run state;
            int attempts = 0;
            do {
                state =
                        tools.run(
                                GROUPS,
                                Scenarios.NONE,
                                "--group",
                                name("group"),
                                "--describe",
                                "--state");
                if (member.isDone() || attempts++ == STATE_ATTEMPTS_MAX) {
                    throw new IllegalStateException(
                            "no member: " + state.stdoutLines() + run.stderrLines());
                }
            } while (state.stdoutLines().stream().noneMatch(line -> line.endsWith(" Stable 1")));
            steps.run();
        } finally {
            run.end();
        }
        member.get();
    }
}
