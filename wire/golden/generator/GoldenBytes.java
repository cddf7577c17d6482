import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;

/**
 * Prints what kafka-clients makes of messages. Reads one message a line from standard input, {"name", "version",
 * "sample", "value"}, and prints "name version sample hex". With the argument "apis" it prints the versions of every API
 * of a broker's listener, with "errors" every error code.
 */
public class GoldenBytes {
    private static final PrintStream OUT = new PrintStream(System.out, false, StandardCharsets.UTF_8);

    public static void main(String[] arguments) throws Exception {
        switch (arguments[0]) {
            case "apis" -> printApis();
            case "errors" -> printErrors();
            default -> printMessages();
        }
        OUT.flush();
    }

    private static void printMessages() throws Exception {
        ObjectMapper mapper = new ObjectMapper();
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            JsonNode wanted = mapper.readTree(line);
            String name = wanted.get("name").asText();
            short version = (short) wanted.get("version").asInt();
            Message message = read(name, version, wanted.get("value"));
            ByteBuffer bytes = MessageUtil.toByteBufferAccessor(message, version).buffer();
            byte[] array = new byte[bytes.remaining()];
            bytes.get(array);
            OUT.println(name + " " + version + " " + wanted.get("sample").asInt() + " "
                + HexFormat.of().formatHex(array));
        }
    }

    private static Message read(String name, short version, JsonNode value) throws Exception {
        String suffix = name.matches(".*(Request|Response|Header)") ? "Data" : "";
        Class<?> converter =
            Class.forName("org.apache.kafka.common.message." + name + suffix + "JsonConverter");
        Method read = converter.getMethod("read", JsonNode.class, short.class);
        return (Message) read.invoke(null, value, version);
    }

    private static void printApis() {
        for (ApiMessageType api : ApiMessageType.values()) {
            if (!api.listeners().contains(ApiMessageType.ListenerType.BROKER)) continue;
            short lowest = api.lowestSupportedVersion();
            short highest = api.highestSupportedVersion(true);
            StringBuilder headers = new StringBuilder();
            for (short version = lowest; version <= highest; version++) {
                headers.append(version == lowest ? "" : ",").append(api.requestHeaderVersion(version))
                    .append(":").append(api.responseHeaderVersion(version));
            }
            OUT.println(api.apiKey() + " " + api.name + " " + lowest + " " + highest + " "
                + api.highestSupportedVersion(false) + " " + headers);
        }
    }

    private static void printErrors() {
        for (Errors error : Errors.values()) {
            boolean retriable = error.exception() instanceof RetriableException;
            OUT.println(error.code() + " " + error.name() + " " + (retriable ? "retriable" : "final"));
        }
    }
}
