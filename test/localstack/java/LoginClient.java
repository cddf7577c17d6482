import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;

/**
 * kafka-clients over SASL_SSL, as who has a credential. Arguments: bootstrap addresses, file of the
 * authority's certificate, mechanism, name, password, topic, then `produce` and values, or `consume`
 * and how many. Prints "sent", or the values in their order, or the name of the refusal.
 */
public final class LoginClient {
    public static void main(String[] args) throws Exception {
        Map<String, Object> configs = configs(args);
        String topic = args[5];
        List<String> rest = List.of(args).subList(7, args.length);
        if (args[6].equals("produce")) {
            System.out.println(produce(configs, topic, rest));
        } else {
            System.out.println(consume(configs, topic, Integer.parseInt(rest.get(0))));
        }
    }

    private static String produce(Map<String, Object> configs, String topic, List<String> values)
            throws Exception {
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(configs)) {
            for (String value : values) {
                producer.send(new ProducerRecord<>(topic, value, value)).get();
            }
            return "sent";
        } catch (ExecutionException refusal) {
            return refusal.getCause().getClass().getSimpleName();
        }
    }

    private static String consume(Map<String, Object> configs, String topic, int count) {
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(configs)) {
            consumer.subscribe(List.of(topic));
            TreeSet<String> values = new TreeSet<>();
            long end = System.nanoTime() + Duration.ofSeconds(60).toNanos();
            while (values.size() < count && System.nanoTime() < end) {
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(500))) {
                    values.add(record.value());
                }
            }
            return String.join(" ", values);
        } catch (org.apache.kafka.common.errors.AuthenticationException refusal) {
            return refusal.getClass().getSimpleName();
        }
    }

    private static Map<String, Object> configs(String[] args) {
        String module = args[2].equals("PLAIN") ? "plain.Plain" : "scram.Scram";
        String jaas =
                "org.apache.kafka.common.security.%sLoginModule required username=\"%s\" password=\"%s\";";
        Map<String, Object> configs = new HashMap<>();
        configs.put("bootstrap.servers", args[0]);
        configs.put("security.protocol", "SASL_SSL");
        configs.put("ssl.truststore.type", "PEM");
        configs.put("ssl.truststore.location", args[1]);
        configs.put("sasl.mechanism", args[2]);
        configs.put("sasl.jaas.config", String.format(jaas, module, args[3], args[4]));
        configs.put("max.block.ms", 20_000);
        configs.put("group.id", "java-" + System.nanoTime());
        configs.put("auto.offset.reset", "earliest");
        configs.put("key.serializer", StringSerializer.class.getName());
        configs.put("value.serializer", StringSerializer.class.getName());
        configs.put("key.deserializer", StringDeserializer.class.getName());
        configs.put("value.deserializer", StringDeserializer.class.getName());
        return configs;
    }
}
