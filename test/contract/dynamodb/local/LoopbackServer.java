import com.amazonaws.services.dynamodbv2.local.main.ServerRunner;
import com.amazonaws.services.dynamodbv2.local.server.DynamoDBProxyServer;
import java.lang.reflect.Field;
import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;

/**
 * DynamoDB Local on loopback alone, which it has no option for, and on a port that the system
 * picks. Says which, and ends when its standard input does: with whoever started it.
 */
public final class LoopbackServer {
  public static void main(String[] args) throws Exception {
    // The port is asked for, and not used: its connector is replaced before it listens.
    String[] options = {"-inMemory", "-sharedDb", "-disableTelemetry", "-port", "8000"};
    DynamoDBProxyServer local = ServerRunner.createServerFromCommandLineArgs(options);
    Field field = DynamoDBProxyServer.class.getDeclaredField("server");
    field.setAccessible(true);
    Server server = (Server) field.get(local);
    ServerConnector connector = new ServerConnector(server);
    connector.setHost("127.0.0.1");
    server.setConnectors(new Connector[] {connector});
    local.safeStart();
    System.out.println("listening on " + connector.getLocalPort());
    while (System.in.read() >= 0) {
    }
    System.exit(0);
  }
}
