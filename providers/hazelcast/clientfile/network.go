package clientfile

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keepsake-cache/keepsake/internal/configtree"
)

// CheckAddress accepts host:port and host. An address of IP version 6 without a port needs no
// brackets.
func CheckAddress(addr string) error {
	bare := strings.TrimSuffix(strings.TrimPrefix(addr, "["), "]")
	if _, err := netip.ParseAddr(bare); err == nil {
		return nil
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		host, port = addr, "5701"
	}
	n, err := strconv.Atoi(port)
	if _, notIP := netip.ParseAddr(host); err != nil || n < 1 || n > 65535 || host == "" || notIP != nil && strings.ContainsAny(host, ":/@[]*, ") {
		return fmt.Errorf("%q is not an address such as host:5701", addr)
	}
	return nil
}

func (r *reader) network(n *node) {
	f := r.file
	var limit, period int64
	r.section(n, grammar{
		"cluster-members":           {list: r.members},
		"smart-routing":             {read: r.smartRouting},
		"cluster-routing":           {read: r.routing, in: sinceFour},
		"redo-operation":            {read: r.redo},
		"connection-timeout":        {read: r.time(&f.DialTimeout, time.Millisecond, 1)},
		"connection-attempt-limit":  {read: r.integer(&limit, 0), in: onlyThree},
		"connection-attempt-period": {read: r.integer(&period, 1), in: onlyThree},
		"socket-options":            {skip: true, read: r.ignored("the client has its own")},
		"socket-interceptor":        {read: r.interceptor},
		"ssl":                       {read: r.ssl},
		"aws":                       {read: r.discovery},
		"gcp":                       {read: r.discovery},
		"azure":                     {read: r.discovery},
		"eureka":                    {read: r.discovery},
		"kubernetes":                {read: r.kubernetes},
		"discovery-strategies":      {read: r.strategies},
		"auto-detection":            {read: r.autoDetection, in: sinceFour},
		"hazelcast-cloud":           {read: r.cloud},
		"outbound-ports":            {skip: true, read: r.ignored("the system chooses the ports")},
		"icmp-ping":                 {skip: true, read: r.ignored(javaOnly)},
	})
	if routing := n.Find("cluster-routing"); routing != nil && n.Find("smart-routing") != nil {
		r.AddAt(routing.Place, n, "cluster-routing and smart-routing exclude each other")
	}
	if limit > 0 && !r.over.ConnectTimeout {
		if period == 0 {
			period = 3000 // Hazelcast's own
		}
		f.ConnectTimeout = time.Duration(limit) * time.Duration(period) * time.Millisecond
		r.found("connectTimeout", n.Child("connection-attempt-limit"), f.ConnectTimeout)
	}
}

// smartRouting connects to all members, and not to one only.
func (r *reader) smartRouting(n *node) {
	smart := !r.file.SingleMember
	r.boolean(&smart)(n)
	r.file.SingleMember = !smart
}

func (r *reader) redo(n *node) {
	redo := false
	if r.flag(&redo)(n); redo {
		r.notice(n, "is ignored: what can be repeated without harm is repeated")
	}
}

func (r *reader) members(list []*node) {
	if r.over.Servers {
		r.notice(list[0], "is overridden by servers")
		return
	}
	entries := r.entries(list, "address")
	if len(entries) == 0 && list[0].Kind == configtree.Empty {
		r.Add(list[0], "holds no address")
	}
	r.addresses(entries)
}

// addresses reads texts with one address or several.
func (r *reader) addresses(entries []*node) {
	for _, c := range entries {
		text, ok := r.scalar(c, "an address", configtree.Number)
		if !ok {
			continue
		}
		some := false
		for addr := range strings.SplitSeq(text, ",") {
			if addr = strings.TrimSpace(addr); addr == "" {
				continue
			}
			some = true
			if err := CheckAddress(addr); err != nil {
				r.Add(c, "%v", err)
				continue
			}
			r.file.Addresses = append(r.file.Addresses, addr)
		}
		if !some {
			r.Add(c, "must be an address, and is empty")
		}
	}
	if len(entries) > 0 && len(r.file.Addresses) > 0 {
		r.foundServers(entries[0])
	}
}

// foundServers notes the addresses that are known so far.
func (r *reader) foundServers(n *node) {
	for i, known := range r.file.Found {
		if known.Name == "servers" {
			r.file.Found[i].Value = slices.Clone(r.file.Addresses)
			return
		}
	}
	r.found("servers", n, slices.Clone(r.file.Addresses))
}

// routing is what Hazelcast 5.5 has in the place of smart-routing.
func (r *reader) routing(n *node) {
	mode := ""
	r.section(n, grammar{
		"@mode":             {read: r.oneOf(&mode, "ALL_MEMBERS", "SINGLE_MEMBER", "MULTI_MEMBER")},
		"@routing-strategy": {skip: true, read: nothing},
		"grouping":          {skip: true, read: nothing},
	})
	switch mode {
	case "SINGLE_MEMBER":
		r.file.SingleMember = true
	case "MULTI_MEMBER":
		r.Add(n, "the mode MULTI_MEMBER is not supported; use ALL_MEMBERS or SINGLE_MEMBER")
	}
}

func (r *reader) interceptor(n *node) {
	if r.enabled(n, false) {
		r.Add(n, "runs Java code on each connection, which this client cannot do; use TLS")
	}
}

// enabled reads the attribute of that name and nothing else.
func (r *reader) enabled(n *node, standard bool) bool {
	if c := n.Find("enabled"); c != nil {
		r.flag(&standard)(c)
	}
	return standard
}

// discovery reads a way to find members that needs a plug-in.
func (r *reader) discovery(n *node) {
	if r.enabled(n, true) {
		r.notFound(n)
	}
}

func (r *reader) notFound(n *node) {
	if r.over.Servers {
		r.notice(n, "is overridden by servers")
		return
	}
	r.Add(n, "this client cannot find members in this way; list them in servers or in cluster-members")
}

// kubernetes reads the plug-in whose simple form is a name that stands for all members.
func (r *reader) kubernetes(n *node) {
	name := n.Find("service-dns")
	if name == nil || r.over.Servers || !r.enabled(n, true) {
		r.discovery(n)
		return
	}
	var host, port string
	r.text(&host)(name)
	if c := n.Find("service-port"); c != nil {
		port = c.Text
	}
	if host != "" {
		addr := joinPort(host, port)
		if err := CheckAddress(addr); err != nil {
			r.Add(n, "%v", err)
			return
		}
		r.file.Addresses = append(r.file.Addresses, addr)
		r.foundServers(n)
	}
}

func (r *reader) strategies(n *node) {
	strategy := func(c *node) {
		if r.enabled(c, false) {
			r.notFound(c)
		}
	}
	r.section(n, grammar{
		"node-filter":        {skip: true, read: nothing},
		"discovery-strategy": {read: strategy, many: true},
		"discovery-strategies": {list: func(list []*node) { // YAML
			for _, c := range list {
				strategy(c)
			}
		}},
	})
}

func (r *reader) autoDetection(n *node) {
	if r.enabled(n, true) && !r.over.Servers {
		r.notice(n, "is ignored: this client finds members by cluster-members or servers only")
	}
}

func (r *reader) cloud(n *node) {
	r.section(n, grammar{
		"@enabled":        {read: r.flag(new(bool))},
		"discovery-token": {skip: true, read: nothing},
	})
	if r.enabled(n, false) {
		r.notFound(n)
	}
}
