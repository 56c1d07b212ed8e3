import com.amazonaws.services.dynamodbv2.local.main.ServerRunner;
import com.amazonaws.services.dynamodbv2.local.server.DynamoDBProxyServer;
import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;

/**
 * Starts DynamoDB Local on the loopback address. It has no option for that and
 * would listen on every address; its connector does not listen yet when the
 * server has only been made, so the address is set there.
 */
public final class Loopback {
    public static void main(String[] args) throws Exception {
        DynamoDBProxyServer made = ServerRunner.createServerFromCommandLineArgs(args);
        var field = DynamoDBProxyServer.class.getDeclaredField("server");
        field.setAccessible(true);
        for (Connector c : ((Server) field.get(made)).getConnectors()) {
            ((ServerConnector) c).setHost("127.0.0.1");
        }
        made.start();
        // The test holds the other end; when it dies, however, so does this.
        while (System.in.read() >= 0) {}
        System.exit(0);
    }
}
