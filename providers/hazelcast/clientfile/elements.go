package clientfile

import (
	"encoding/binary"
	"math"
	"net"
	"time"

	"github.com/keepsake-cache/keepsake/internal/configtree"
)

const javaOnly = "it has a meaning for Java clients only"

// root reads hazelcast-client.
func (r *reader) root(n *node) {
	r.old = n.Find("group") != nil || r.old && n.Find("cluster-name") == nil
	r.client(n)
	r.environment()
}

// client reads what a client's configuration has.
func (r *reader) client(n *node) {
	f := r.file
	r.section(n, grammar{
		"@id":                          {skip: true, read: nothing},
		"config-replacers":             {read: r.replacers},
		"cluster-name":                 {read: r.clusterName, in: sinceFour},
		"group":                        {read: r.group, in: onlyThree},
		"license-key":                  {skip: true, read: r.ignored("a client needs none"), in: onlyThree},
		"executor-pool-size":           {skip: true, read: r.ignored(javaOnly), in: onlyThree},
		"instance-name":                {read: r.text(&f.InstanceName)},
		"client-labels":                {list: r.texts(&f.Labels, "label")},
		"backup-ack-to-client-enabled": {read: r.flag(new(bool)), in: sinceFour},
		"backup-ack-to-client":         {read: r.flag(new(bool)), in: sinceFour}, // so in the example of Hazelcast 4
		"properties":                   {read: r.properties(r.property)},
		"network":                      {read: r.network},
		"security":                     {read: r.security},
		"serialization":                {read: r.serialization},
		"load-balancer":                {read: r.loadBalancer},
		"connection-strategy":          {read: r.connectionStrategy},
		"near-cache":                   {skip: true, read: r.ignored("near caches are configured on the cache element"), many: true},
		"listeners":                    {skip: true, read: r.ignored(javaOnly)},
		"native-memory":                {skip: true, read: r.ignored(javaOnly)},
		"proxy-factories":              {skip: true, read: r.ignored(javaOnly)},
		"query-caches":                 {skip: true, read: r.ignored(javaOnly)},
		"flake-id-generator":           {skip: true, read: r.ignored("caches use none"), many: true},
		"reliable-topic":               {skip: true, read: r.ignored("caches use none"), many: true},
		"user-code-deployment":         {skip: true, read: r.ignored(javaOnly)},
		"metrics":                      {skip: true, read: r.ignored(javaOnly), in: sinceFour},
		"instance-tracking":            {skip: true, read: r.ignored(javaOnly), in: sinceFour},
		"sql":                          {skip: true, read: r.ignored("caches use no SQL"), in: sinceFour},
		"tpc":                          {skip: true, read: r.ignored(javaOnly), in: sinceFour},
		"cp-direct-to-leader-routing":  {skip: true, read: r.ignored("caches use no CP subsystem"), in: sinceFour},
	})
}

func (r *reader) clusterName(n *node) {
	if r.over.ClusterName {
		r.notice(n, "is overridden by clusterName")
		return
	}
	r.named("clusterName", &r.file.ClusterName)(n)
}

// group is how Hazelcast 3 names a cluster.
func (r *reader) group(n *node) {
	r.notice(n, "this file is for Hazelcast 3; this client speaks to clusters of Hazelcast 4 and 5 only")
	r.section(n, grammar{
		"name":     {read: r.clusterName},
		"password": {skip: true, read: r.ignored("clusters have no password since Hazelcast 4")},
	})
}

func (r *reader) replacers(n *node) {
	one := func(c *node) {
		class := ""
		r.section(c, grammar{"@class-name": {read: r.text(&class)}, "properties": {skip: true, read: nothing}})
		if class != "" && class != "com.hazelcast.config.replacer.PropertyReplacer" {
			r.Add(c, "the replacer %s is not supported; use variables of the environment, ${NAME}", configtree.ShortName(class))
		}
	}
	r.section(n, grammar{
		"@fail-if-value-missing": {read: r.flag(new(bool))},
		"replacer":               {read: one, many: true},
		"replacers": {list: func(list []*node) { // YAML
			for _, c := range list {
				c.Listed = false // it is a group like that of XML
				one(c)
			}
		}},
	})
}

// sluggish is the heartbeat timeout from which a member that hangs is a nuisance, and
// hasty the one below which a healthy one is taken for hanging.
const (
	hasty    = 6 * time.Second
	sluggish = 15 * time.Second
)

func (r *reader) property(name string, n *node) {
	f := r.file
	switch name {
	case "hazelcast.client.heartbeat.interval":
		r.time(&f.HeartbeatInterval, time.Millisecond, 1)(n)
	case "hazelcast.client.heartbeat.timeout":
		r.time(&f.HeartbeatTimeout, time.Millisecond, 1)(n)
		if t := f.HeartbeatTimeout; t > sluggish {
			r.notice(n, "for %v the client will not notice that a member hangs; 8000 is the default here", t)
		} else if t > 0 && t < hasty {
			r.notice(n, "is so short that the client may leave healthy members while another one hangs; 8000 is the default here")
		}
	case "hazelcast.client.shuffle.member.list":
		shuffle := true
		r.boolean(&shuffle)(n)
		f.KeepOrder = !shuffle
	case "hazelcast.client.statistics.enabled":
		r.boolean(&f.Statistics)(n)
	case "hazelcast.client.statistics.period.seconds":
		r.time(&f.StatisticsPeriod, time.Second, 1)(n)
	case "hazelcast.discovery.public.ip.enabled":
		r.boolean(&f.PublicIP)(n)
	case "hazelcast.client.invocation.timeout.seconds":
		r.ignored("requestTimeout bounds requests")(n)
	case "hazelcast.logging.type":
		r.ignored("log lines go to slog")(n)
	default:
		r.ignored("this client does not know the property")(n)
	}
}

func (r *reader) serialization(n *node) {
	native := false
	order := ""
	java := rule{skip: true, read: nothing}
	r.section(n, grammar{
		"portable-version":                   {read: r.integer(new(int64), 0)},
		"use-native-byte-order":              {read: r.boolean(&native)},
		"byte-order":                         {read: r.oneOf(&order, "BIG_ENDIAN", "LITTLE_ENDIAN")},
		"enable-compression":                 java,
		"enable-shared-object":               java,
		"allow-unsafe":                       java,
		"allow-override-default-serializers": java,
		"data-serializable-factories":        java,
		"portable-factories":                 java,
		"serializers":                        java,
		"global-serializer":                  java,
		"check-class-def-errors":             java,
		"java-serialization-filter":          java,
		"compact-serialization":              java,
		"zero-config-filter":                 java,
	})
	r.file.LittleEndian = order == "LITTLE_ENDIAN" || native && binary.NativeEndian.Uint16([]byte{1, 0}) == 1
}

func (r *reader) loadBalancer(n *node) {
	kind := ""
	r.mixed(n, grammar{
		"@type":      {read: r.oneOf(&kind, "random", "round-robin", "custom")},
		"class-name": {skip: true, read: nothing}, // YAML
	})
	if n.Find("type") == nil {
		r.Add(n, "needs a type")
	}
	switch kind {
	case "custom":
		r.ignored(javaOnly)(n)
	case "random", "round-robin":
		r.file.RandomBalancer = kind == "random"
	}
}

func (r *reader) connectionStrategy(n *node) {
	async, mode := false, ""
	r.section(n, grammar{
		"@async-start":     {read: r.flag(&async)},
		"@reconnect-mode":  {read: r.oneOf(&mode, "ON", "OFF", "ASYNC")},
		"connection-retry": {read: r.connectionRetry},
	})
	if async {
		r.notice(n, "async-start is ignored: opening waits for the connection")
	}
	if mode == "OFF" {
		r.notice(n, "reconnect-mode OFF is ignored: the client always connects again")
	}
}

func (r *reader) connectionRetry(n *node) {
	retry := &r.file.Retry
	r.section(n, grammar{
		"@enabled":               {read: r.flag(new(bool)), in: onlyThree},
		"fail-on-max-backoff":    {skip: true, read: r.ignored("the client always connects again"), in: onlyThree},
		"initial-backoff-millis": {read: r.time(&retry.Initial, time.Millisecond, 0)},
		"max-backoff-millis":     {read: r.time(&retry.Max, time.Millisecond, 0)},
		"multiplier":             {read: r.decimal(&retry.Multiplier, 1, math.MaxFloat64)},
		"jitter":                 {read: r.decimal(&retry.Jitter, 0, 1)},
		"cluster-connect-timeout-millis": {in: sinceFour, read: func(c *node) {
			if r.over.ConnectTimeout {
				r.notice(c, "is overridden by connectTimeout")
				return
			}
			r.connectTimeout(c)
		}},
	})
}

// connectTimeout reads how long the cluster is looked for: -1 is for ever, and with 0 each address
// is tried once.
func (r *reader) connectTimeout(n *node) {
	v := int64(math.MinInt64)
	switch r.long(&v, -1, math.MaxInt64/int64(time.Millisecond))(n); {
	case v == -1:
		r.file.ConnectTimeout, r.file.ConnectOnce = Forever, false
	case v == 0:
		r.file.ConnectOnce = true
		r.notice(n, "0 tries each address once, for as long as connection-timeout allows")
		return
	case v > 0:
		r.file.ConnectTimeout, r.file.ConnectOnce = time.Duration(v)*time.Millisecond, false
	default:
		return
	}
	r.found("connectTimeout", n, r.file.ConnectTimeout)
}

func (r *reader) security(n *node) {
	if r.over.Credentials {
		r.notice(n, "is overridden by user and password")
		return
	}
	refuse := rule{read: r.refused("is not supported; this client identifies itself by username-password only")}
	r.section(n, grammar{
		"username-password": {in: sinceFour, read: func(c *node) {
			r.section(c, grammar{
				"@username": {read: r.named("user", &r.file.User)},
				"@password": {read: r.named("password", &r.file.Password)},
			})
			if !r.Any() && (r.file.User == "" || r.file.Password == "") {
				r.Add(c, "needs a username and a password")
			}
		}},
		"token":               refuse,
		"kerberos":            refuse,
		"credentials-factory": refuse,
		"credentials":         refuse,
		"realms":              refuse,
	})
}

// joinPort adds Hazelcast's port to a host that has none.
func joinPort(host, port string) string {
	if port == "" {
		port = "5701"
	}
	return net.JoinHostPort(host, port)
}
