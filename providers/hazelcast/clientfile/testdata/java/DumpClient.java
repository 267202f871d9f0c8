import java.io.File;
import java.lang.reflect.Method;
import java.util.*;

/**
 * Prints what Hazelcast's own parser makes of client configuration files: a line of JSON for
 * each file. With -Doverride=true the environment is applied too, as a client does that finds the file
 * by itself. Everything is called by name, so that one program does for all versions.
 */
public class DumpClient {
    public static void main(String[] files) throws Exception {
        for (String file : files) {
            Map<String, Object> out = new TreeMap<>();
            try {
                Object config;
                if (Boolean.getBoolean("override")) {
                    System.setProperty("hazelcast.client.config", file);
                    config = Class.forName("com.hazelcast.client.config.ClientConfig").getMethod("load").invoke(null);
                } else {
                    String kind = file.endsWith(".xml") ? "Xml" : "Yaml";
                    Object builder = Class.forName("com.hazelcast.client.config." + kind + "ClientConfigBuilder")
                            .getConstructor(File.class).newInstance(new File(file));
                    config = builder.getClass().getMethod("build").invoke(builder);
                }
                describe(config, out);
            } catch (Throwable e) {
                out.clear();
                Throwable t = e;
                while (t.getCause() != null) {
                    t = t.getCause();
                }
                out.put("error", t.getClass().getSimpleName() + ": " + t.getMessage());
            }
            System.out.println("JSON " + json(out));
        }
    }

    static void describe(Object c, Map<String, Object> out) {
        Object group = get(c, "getGroupConfig");
        out.put("clusterName", has(c, "getClusterName") ? get(c, "getClusterName") : get(group, "getName"));
        out.put("instanceName", get(c, "getInstanceName"));
        out.put("labels", sorted(get(c, "getLabels")));
        Object network = get(c, "getNetworkConfig");
        out.put("addresses", get(network, "getAddresses"));
        out.put("smartRouting", get(network, "isSmartRouting"));
        Object routing = get(network, "getClusterRoutingConfig");
        out.put("routing", String.valueOf(get(routing, "getRoutingMode")));
        out.put("connectionTimeout", get(network, "getConnectionTimeout"));
        out.put("attemptLimit", get(network, "getConnectionAttemptLimit"));
        out.put("attemptPeriod", get(network, "getConnectionAttemptPeriod"));
        Object ssl = get(network, "getSSLConfig");
        out.put("ssl", Boolean.TRUE.equals(get(ssl, "isEnabled")));
        out.put("sslProperties", new TreeMap<>(ssl == null ? Map.of() : (Map<?, ?>) get(ssl, "getProperties")));
        Object strategy = get(c, "getConnectionStrategyConfig");
        out.put("reconnectMode", String.valueOf(get(strategy, "getReconnectMode")));
        out.put("asyncStart", get(strategy, "isAsyncStart"));
        Object retry = get(strategy, "getConnectionRetryConfig");
        out.put("initialBackoff", get(retry, "getInitialBackoffMillis"));
        out.put("maxBackoff", get(retry, "getMaxBackoffMillis"));
        out.put("multiplier", get(retry, "getMultiplier"));
        out.put("jitter", get(retry, "getJitter"));
        out.put("connectTimeout", get(retry, "getClusterConnectTimeoutMillis"));
        out.put("properties", new TreeMap<>((Map<?, ?>) get(c, "getProperties")));
        Object security = get(c, "getSecurityConfig");
        Object identity = get(security, "getUsernamePasswordIdentityConfig");
        out.put("user", get(identity, "getUsername"));
        out.put("password", get(identity, "getPassword"));
        Object balancer = get(c, "getLoadBalancer");
        out.put("balancer", balancer == null ? String.valueOf(get(c, "getLoadBalancerClassName")) : balancer.getClass().getSimpleName());
        Object serialization = get(c, "getSerializationConfig");
        out.put("byteOrder", String.valueOf(get(serialization, "getByteOrder")));
        out.put("nativeOrder", get(serialization, "isUseNativeByteOrder"));
    }

    static boolean has(Object o, String method) {
        try {
            return o != null && o.getClass().getMethod(method) != null;
        } catch (NoSuchMethodException e) {
            return false;
        }
    }

    static Object get(Object o, String method) {
        if (!has(o, method)) {
            return null;
        }
        try {
            Method m = o.getClass().getMethod(method);
            m.setAccessible(true);
            return m.invoke(o);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(method, e);
        }
    }

    static Object sorted(Object set) {
        return set == null ? null : new TreeSet<>((Collection<?>) set);
    }

    static String json(Object o) {
        if (o == null || o instanceof Number || o instanceof Boolean) {
            return String.valueOf(o);
        }
        if (o instanceof Map) {
            StringJoiner j = new StringJoiner(",", "{", "}");
            ((Map<?, ?>) o).forEach((k, v) -> j.add(json(String.valueOf(k)) + ":" + json(v)));
            return j.toString();
        }
        if (o instanceof Collection) {
            StringJoiner j = new StringJoiner(",", "[", "]");
            ((Collection<?>) o).forEach(v -> j.add(json(v)));
            return j.toString();
        }
        StringBuilder b = new StringBuilder("\"");
        for (char ch : o.toString().toCharArray()) {
            b.append(ch < ' ' || ch > '~' || ch == '"' || ch == '\\' ? String.format("\\u%04x", (int) ch) : String.valueOf(ch));
        }
        return b.append('"').toString();
    }
}
