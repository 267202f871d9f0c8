package clientfile

import (
	"net"
	"regexp"
	"strings"

	"github.com/keepsake-cache/keepsake/internal/configtree"
)

const forMembers = "it is for members"

// member reads the configuration of a member, as far as a client needs it: which cluster, and
// where its members are. The rest is listed, but for what asks something of clients.
func (r *reader) member(root *node) {
	r.notice(root, "this is the configuration of a member; its cluster's name and its members' addresses are taken")
	for _, c := range root.Inner {
		switch c.Name {
		case "cluster-name":
			r.clusterName(c)
		case "group": // of Hazelcast 3
			if name := c.Find("name"); name != nil {
				r.clusterName(name)
			}
			if password := c.Find("password"); password != nil {
				r.ignored("clusters have no password since Hazelcast 4")(password)
			}
		case "network":
			r.memberNetwork(c)
		case "security":
			if r.enabled(c, false) && !r.over.Credentials {
				r.Add(c, "the members ask for an identity; give user and password")
			}
		default:
			r.ignored(forMembers)(c)
		}
	}
	if len(r.file.Addresses) == 0 && !r.over.Servers && !r.Any() {
		r.Add(root, "names no members in network.join.tcp-ip; list some in servers")
	}
}

func (r *reader) memberNetwork(n *node) {
	port := "5701"
	if c := n.Find("port"); c != nil {
		if p := c.Find("port"); p != nil { // YAML
			c = p
		}
		if text := strings.TrimSpace(c.Text); text != "" {
			port = text
		}
	}
	for _, c := range n.Inner {
		switch c.Name {
		case "port":
		case "join":
			r.join(c, port)
		case "ssl":
			if r.enabled(c, false) && !r.over.TLS {
				r.Add(c, "the members speak TLS; say in tls whom to trust")
			}
		default:
			r.ignored(forMembers)(c)
		}
	}
}

// join reads how members find each other.
func (r *reader) join(n *node, port string) {
	for _, c := range n.Inner {
		switch {
		case c.Name != "tcp-ip":
			if r.enabled(c, c.Name == "multicast") && !r.over.Servers {
				r.notice(c, "is ignored: a client needs the members' addresses")
			}
		case r.over.Servers:
			r.notice(c, "is overridden by servers")
		case !r.enabled(c, false):
			r.notice(c, "is ignored: it is not enabled")
		default:
			r.tcpIP(c, port)
		}
	}
}

// addressRange is how members write several addresses as one.
var addressRange = regexp.MustCompile(`^[0-9.]+-[0-9]+`)

// tcpIP reads the lists of members. Addresses without a port have the one that the members begin with.
func (r *reader) tcpIP(n *node, port string) {
	var entries []*node
	for _, c := range n.Inner {
		switch c.Name {
		case "member", "members", "interface", "hostname", "required-member":
			entries = append(entries, c)
		case "member-list":
			if c.Listed { // YAML
				entries = append(entries, c)
			} else {
				entries = append(entries, c.Inner...)
			}
		}
	}
	for _, c := range entries {
		text, ok := r.scalar(c, "an address", configtree.Number)
		if !ok {
			continue
		}
		for addr := range strings.FieldsFuncSeq(text, func(c rune) bool { return strings.ContainsRune(",; \t\r\n", c) }) {
			if _, _, err := net.SplitHostPort(addr); err != nil && port != "5701" {
				addr = net.JoinHostPort(strings.Trim(addr, "[]"), port)
			}
			if err := CheckAddress(addr); err != nil || addressRange.MatchString(addr) {
				r.Add(c, "%q is not one address; list each member's", addr)
				continue
			}
			r.file.Addresses = append(r.file.Addresses, addr)
			r.foundServers(c)
		}
	}
}
