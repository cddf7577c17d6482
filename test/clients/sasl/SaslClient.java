import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.UserScramCredentialAlteration;
import org.apache.kafka.clients.admin.UserScramCredentialDeletion;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;

/**
 * kafka-clients logs in over SASL_SSL: prints what it saw, a JSON line a step. Arguments: bootstrap
 * address, file of the authority's certificate, the admin's name and password.
 */
public final class SaslClient {
    private static final String TOPIC = "java-sasl";
    private static String[] where;

    public static void main(String[] args) throws Exception {
        where = args;
        try (Admin admin = Admin.create(login("PLAIN", args[2], args[3]))) {
            admin.createTopics(List.of(new NewTopic(TOPIC, 1, (short) 1))).all().get();
            run(admin);
        }
    }

    private static void run(Admin admin) throws Exception {
        ScramCredentialInfo strong = new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 8192);
        emit("create", altered(admin, new UserScramCredentialUpsertion("bob", strong, "wonder")));
        for (String mechanism : List.of("SCRAM-SHA-512", "PLAIN")) {
            Map<String, Object> right = login(mechanism, "bob", "wonder");
            emit("produce/" + mechanism, produce(right, mechanism));
            emit("wrong/" + mechanism, produce(login(mechanism, "bob", "blunder"), "no"));
        }
        emit("other-mechanism", produce(login("SCRAM-SHA-256", "bob", "wonder"), "no"));
        UserScramCredentialDeletion deletion =
                new UserScramCredentialDeletion("bob", ScramMechanism.SCRAM_SHA_512);
        try (KafkaConsumer<String, String> consumer = consumer()) {
            emit("consume", quoted(consume(consumer)));
            emit("delete", altered(admin, deletion));
            emit("delete-again", altered(admin, deletion));
            emit("ended", String.valueOf(ended(consumer)));
        }
        for (String mechanism : List.of("SCRAM-SHA-512", "PLAIN")) {
            emit("deleted/" + mechanism, produce(login(mechanism, "bob", "wonder"), "no"));
        }
    }

    private static Map<String, Object> login(String mechanism, String user, String password) {
        String module = mechanism.equals("PLAIN") ? "plain.Plain" : "scram.Scram";
        Map<String, Object> configs = new HashMap<>();
        configs.put("bootstrap.servers", where[0]);
        configs.put("security.protocol", "SASL_SSL");
        configs.put("ssl.truststore.type", "PEM");
        configs.put("ssl.truststore.location", where[1]);
        configs.put("sasl.mechanism", mechanism);
        configs.put(
                "sasl.jaas.config",
                String.format(
                        "org.apache.kafka.common.security.%sLoginModule required username=\"%s\" password=\"%s\";",
                        module, user, password));
        configs.put("max.block.ms", 10_000);
        configs.put("key.serializer", StringSerializer.class.getName());
        configs.put("value.serializer", StringSerializer.class.getName());
        return configs;
    }

    private static KafkaConsumer<String, String> consumer() {
        Map<String, Object> configs = login("SCRAM-SHA-512", "bob", "wonder");
        configs.put("key.deserializer", StringDeserializer.class.getName());
        configs.put("value.deserializer", StringDeserializer.class.getName());
        configs.put("auto.offset.reset", "earliest");
        KafkaConsumer<String, String> consumer = new KafkaConsumer<>(configs);
        consumer.assign(List.of(new TopicPartition(TOPIC, 0)));
        return consumer;
    }

    private static String produce(Map<String, Object> configs, String value) {
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(configs)) {
            producer.send(new ProducerRecord<>(TOPIC, value)).get();
            return "\"sent\"";
        } catch (Exception failure) {
            Throwable cause =
                    failure instanceof ExecutionException ? failure.getCause() : failure;
            return "\"" + cause.getClass().getSimpleName() + "\"";
        }
    }

    private static List<String> consume(KafkaConsumer<String, String> consumer) {
        List<String> values = new ArrayList<>();
        for (int i = 0; i < 100 && values.size() < 2; i += 1) {
            for (ConsumerRecord<String, String> each : consumer.poll(Duration.ofMillis(200))) {
                values.add(each.value());
            }
        }
        return values;
    }

    private static boolean ended(KafkaConsumer<String, String> consumer) {
        try {
            for (int i = 0; i < 100; i += 1) consumer.poll(Duration.ofMillis(200));
            return false;
        } catch (org.apache.kafka.common.errors.SaslAuthenticationException refused) {
            return true;
        }
    }

    private static String altered(Admin admin, UserScramCredentialAlteration alteration)
            throws InterruptedException {
        try {
            admin.alterUserScramCredentials(List.of(alteration)).all().get();
            return "\"altered\"";
        } catch (ExecutionException failure) {
            return "\"" + failure.getCause().getClass().getSimpleName() + "\"";
        }
    }

    private static String quoted(List<String> values) {
        return values.isEmpty() ? "[]" : "[\"" + String.join("\", \"", values) + "\"]";
    }

    private static void emit(String step, String result) {
        System.out.printf("{\"step\": \"%s\", \"result\": %s}%n", step, result);
    }
}
