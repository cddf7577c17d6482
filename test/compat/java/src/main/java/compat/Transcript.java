package compat;

import org.apache.kafka.common.protocol.Errors;

import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;

/** Prints the transcript: one JSON object a line, "at" first. */
final class Transcript {
    private Transcript() {}

    /**
     * {@code fields} alternates names and values; values are null, booleans, numbers, strings,
     * collections, maps.
     */
    static void emit(String at, Object... fields) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("at", at);
        for (int i = 0; i < fields.length; i += 2) {
            line.put((String) fields[i], fields[i + 1]);
        }
        System.out.println(json(line));
    }

    interface Call {
        Object run() throws Exception;
    }

    /**
     * Emits the outcome of a call: "error" with the Kafka name of what it refused with, or NONE and
     * its result.
     */
    static void attempt(String at, Call call) throws Exception {
        try {
            Object result = call.run();
            if (result == null) {
                emit(at, "error", "NONE");
            } else {
                emit(at, "error", "NONE", "result", result);
            }
        } catch (ExecutionException | RuntimeException failure) {
            emit(at, "error", errorName(failure));
        }
    }

    /**
     * The name in Kafka's table of errors, or the class of an error that the client itself raised.
     */
    static String errorName(Throwable failure) {
        Throwable cause = failure instanceof ExecutionException ? failure.getCause() : failure;
        Errors error = Errors.forException(cause);
        return error == Errors.UNKNOWN_SERVER_ERROR
                ? cause.getClass().getSimpleName()
                : error.name();
    }

    static String json(Object value) {
        if (value == null || value instanceof Number || value instanceof Boolean) {
            return String.valueOf(value);
        }
        if (value instanceof Map<?, ?> map) {
            return map.entrySet().stream()
                    .map(entry -> json(entry.getKey().toString()) + ":" + json(entry.getValue()))
                    .collect(Collectors.joining(",", "{", "}"));
        }
        if (value instanceof Collection<?> items) {
            return items.stream().map(Transcript::json).collect(Collectors.joining(",", "[", "]"));
        }
        StringBuilder quoted = new StringBuilder("\"");
        for (char c : value.toString().toCharArray()) {
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
