/** kafka-acls where nobody has an authorizer. */
final class AclScenarios {
    private static final String ACLS = "org.apache.kafka.tools.AclCommand";

    private final ToolRunner tools;
    private final String prefix;

    AclScenarios(ToolRunner tools, String prefix) {
        this.tools = tools;
        this.prefix = prefix;
    }

    void acls() throws Exception {
        tools.show("acls/list", ACLS, Scenarios.NONE, "--list");
        String[] rule = {"--allow-principal", "User:a", "--operation", "Read"};
        tools.show("acls/add", ACLS, Scenarios.NONE, of("--add", rule));
        tools.show("acls/remove", ACLS, Scenarios.NONE, of("--remove", rule, "--force"));
    }

    private String[] of(String what, String[] rule, String... more) {
        String[] target = {what, "--topic", prefix + "acls"};
        return java.util.stream.Stream.of(target, rule, more)
                .flatMap(java.util.Arrays::stream)
                .toArray(String[]::new);
    }
}
