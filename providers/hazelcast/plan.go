package hazelcast

import (
	"cmp"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"time"

	hz "github.com/hazelcast/hazelcast-go-client"
	hzcluster "github.com/hazelcast/hazelcast-go-client/cluster"
	hztypes "github.com/hazelcast/hazelcast-go-client/types"

	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
	"github.com/keepsake-cache/keepsake/providers/hazelcast/clientfile"
)

// A plan is what the options and the client's file come to.
type plan struct {
	client         hz.Config
	servers        []string
	clusterName    string
	mapPrefix      string
	requestTimeout time.Duration
	connectTimeout time.Duration
	maxRecordBytes int
	log            *slog.Logger
	notices        []string
}

const (
	// A connection whose member is silent for heartbeatTimeout is closed. Members
	// themselves are silent for five seconds when one of them hangs; if the client
	// were not more patient than that, it would leave the healthy ones too.
	heartbeatInterval = time.Second
	heartbeatTimeout  = 8 * time.Second

	dialTimeout = 2 * time.Second

	// loopback is tried where a file names no members.
	loopback = "127.0.0.1"

	// The pace of attempts to find a cluster that is gone.
	firstRetry, lastRetry = 200 * time.Millisecond, 2 * time.Second
	retryGrowth           = 1.5
	retryJitter           = 0.2
)

// defaultPorts are tried where an address has none.
var defaultPorts = []string{"5701", "5702", "5703"}

// file reads the client's file, or returns an empty one if there is none.
func (o Options) file() (*clientfile.File, error) {
	if o.ClientFile == "" {
		return &clientfile.File{}, nil
	}
	return clientfile.Read(o.ClientFile, clientfile.Overrides{
		ClusterName:    o.ClusterName != "",
		Servers:        len(o.Servers) > 0,
		Credentials:    o.User != "",
		TLS:            o.TLS != nil,
		ConnectTimeout: o.ConnectTimeout != 0,
	})
}

// plan reads the client's file, if there is one, and completes the options with it and
// with the defaults. The error joins all problems.
func (o Options) plan() (plan, error) { return o.planOf(setting.Of(settings, &o)) }

// planOf is plan for options that are these values.
func (o Options) planOf(v setting.Values) (plan, error) {
	errs := []error{setting.Validate(settings, rules, v)}
	if len(o.Servers) == 0 && o.ClientFile == "" {
		errs = append(errs, setting.Problemf("servers", "is required, or a uri: who is to be connected to?"))
	}
	file, err := o.file()
	if err := errors.Join(append(errs, err)...); err != nil {
		return plan{}, err
	}
	p := plan{
		servers:        o.Servers,
		clusterName:    cmp.Or(o.ClusterName, file.ClusterName, defaultClusterName),
		mapPrefix:      cmp.Or(o.MapPrefix, defaultMapPrefix),
		requestTimeout: cmp.Or(o.RequestTimeout, defaultRequestTimeout),
		connectTimeout: cmp.Or(o.ConnectTimeout, file.ConnectTimeout, defaultConnectTimeout),
		maxRecordBytes: cmp.Or(o.MaxRecordBytes, defaultMaxRecordBytes),
		log:            o.Logger,
		notices:        file.Notices,
	}
	if p.log == nil {
		p.log = slog.Default()
	}
	if len(p.servers) == 0 {
		p.servers = file.Addresses
	}
	if len(p.servers) == 0 {
		p.servers = []string{loopback}
		p.notices = append(p.notices, o.ClientFile+": names no cluster-members; 127.0.0.1 is tried, as Java clients do")
	}
	if file.ConnectOnce && o.ConnectTimeout == 0 {
		p.connectTimeout = cmp.Or(file.DialTimeout, dialTimeout) * time.Duration(len(p.servers))
	}
	p.client = clientConfig(o, file, p)
	return p, nil
}

func checkServers(value any) error {
	var errs []error
	for _, addr := range value.([]string) {
		errs = append(errs, clientfile.CheckAddress(addr))
	}
	return errors.Join(errs...)
}

// replaceTimeout bounds one attempt to start another client.
func (p plan) replaceTimeout() time.Duration {
	if p.connectTimeout < 0 {
		return defaultConnectTimeout
	}
	return p.connectTimeout
}

// dialable returns addresses as the client takes them: it reads no address of IP version 6
// without a port.
func dialable(servers []string) (all []string) {
	for _, addr := range servers {
		bare := strings.TrimSuffix(strings.TrimPrefix(addr, "["), "]")
		if ip, err := netip.ParseAddr(bare); err != nil || ip.Is4() {
			all = append(all, addr)
			continue
		}
		for _, port := range defaultPorts {
			all = append(all, net.JoinHostPort(bare, port))
		}
	}
	return all
}

// clientConfig is the configuration of the Hazelcast client.
func clientConfig(o Options, file *clientfile.File, p plan) hz.Config {
	cfg := hz.Config{ClientName: file.InstanceName, Labels: file.Labels}
	cfg.Serialization.LittleEndian = file.LittleEndian
	cfg.Stats.Enabled = file.Statistics
	cfg.Stats.Period = hztypes.Duration(file.StatisticsPeriod)

	c := &cfg.Cluster
	c.Name = p.clusterName
	c.Unisocket = file.SingleMember
	c.Discovery.UsePublicIP = file.PublicIP
	c.HeartbeatInterval = hztypes.Duration(cmp.Or(file.HeartbeatInterval, heartbeatInterval))
	c.HeartbeatTimeout = hztypes.Duration(cmp.Or(file.HeartbeatTimeout, heartbeatTimeout))
	c.Security.Credentials.Username = cmp.Or(o.User, file.User)
	c.Security.Credentials.Password = cmp.Or(o.Password, file.Password)
	if file.RandomBalancer {
		c.SetLoadBalancer(hzcluster.NewRandomLoadBalancer())
	}
	c.ConnectionStrategy.Retry = hzcluster.ConnectionRetryConfig{
		InitialBackoff: hztypes.Duration(cmp.Or(file.Retry.Initial, firstRetry)),
		MaxBackoff:     hztypes.Duration(cmp.Or(file.Retry.Max, lastRetry)),
		Multiplier:     cmp.Or(file.Retry.Multiplier, retryGrowth),
		Jitter:         cmp.Or(file.Retry.Jitter, retryJitter),
	}

	// The member that a client connects to first tells it about the cluster. If all
	// clients began with the same one, all would lose sight of the cluster when
	// that member hangs.
	servers := dialable(p.servers)
	if !file.KeepOrder {
		rand.Shuffle(len(servers), func(i, j int) { servers[i], servers[j] = servers[j], servers[i] })
	}
	c.Network.SetAddresses(servers...)
	c.Network.ConnectionTimeout = hztypes.Duration(cmp.Or(file.DialTimeout, dialTimeout))
	if config := cmp.Or(o.TLS, file.TLS); config != nil {
		c.Network.SSL.Enabled = true
		c.Network.SSL.SetTLSConfig(memberTLS(config, p.servers, file.AnyHost && o.TLS == nil))
	}
	return cfg
}
