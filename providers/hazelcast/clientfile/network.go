package clientfile

import "time"

func (r *reader) network(n *node) {
	f := r.file
	smart := true
	var limit, period int64
	r.section(n, grammar{
		"cluster-members":           {read: r.members},
		"smart-routing":             {read: r.boolean(&smart)},
		"cluster-routing":           {read: r.routing, in: sinceFour},
		"redo-operation":            {read: r.redo},
		"connection-timeout":        {read: r.time(&f.DialTimeout, time.Millisecond, 1)},
		"connection-attempt-limit":  {read: r.integer(&limit, 0), in: onlyThree},
		"connection-attempt-period": {read: r.integer(&period, 1), in: onlyThree},
		"socket-options":            {read: r.ignored("the client has its own")},
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
		"outbound-ports":            {read: r.ignored("the system chooses the ports")},
		"icmp-ping":                 {read: r.ignored(javaOnly)},
	})
	if routing := n.child("cluster-routing"); routing != nil && n.child("smart-routing") != nil {
		r.problem(routing.pos, n.path, "cluster-routing and smart-routing exclude each other")
	}
	f.SingleMember = f.SingleMember || !smart
	if limit > 0 && !r.over.ConnectTimeout {
		if period == 0 {
			period = 3000 // Hazelcast's own
		}
		f.ConnectTimeout = time.Duration(limit) * time.Duration(period) * time.Millisecond
	}
}

func (r *reader) redo(n *node) {
	redo := false
	if r.boolean(&redo)(n); redo {
		r.notice(n, "is ignored: what can be repeated without harm is repeated")
	}
}

func (r *reader) members(n *node) {
	if r.over.Servers {
		r.notice(n, "is overridden by servers")
		return
	}
	r.texts(&r.file.Addresses, "address")(n)
	if len(r.file.Addresses) == 0 && len(n.children) == 0 && n.text == "" {
		r.problem(n.pos, n.path, "holds no address")
	}
}

// routing is what Hazelcast 5.5 has in the place of smart-routing.
func (r *reader) routing(n *node) {
	mode := ""
	r.section(n, grammar{
		"@mode":             {read: r.oneOf(&mode, "ALL_MEMBERS", "SINGLE_MEMBER", "MULTI_MEMBER")},
		"@routing-strategy": {read: nothing},
		"grouping":          {read: nothing},
	})
	switch mode {
	case "SINGLE_MEMBER":
		r.file.SingleMember = true
	case "MULTI_MEMBER":
		r.problem(n.pos, n.path, "the mode MULTI_MEMBER is not supported; use ALL_MEMBERS or SINGLE_MEMBER")
	}
}

func (r *reader) interceptor(n *node) {
	if r.enabled(n, false) {
		r.problem(n.pos, n.path, "runs Java code on each connection, which this client cannot do; use TLS")
	}
}

// enabled reads the attribute of that name and nothing else.
func (r *reader) enabled(n *node, standard bool) bool {
	if c := n.child("enabled"); c != nil {
		r.boolean(&standard)(c)
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
	r.problem(n.pos, n.path, "this client cannot find members in this way; list them in servers or in cluster-members")
}

// kubernetes reads the plug-in whose simple form is a name that stands for all members.
func (r *reader) kubernetes(n *node) {
	name := n.child("service-dns")
	if name == nil || r.over.Servers || !r.enabled(n, true) {
		r.discovery(n)
		return
	}
	var host, port string
	r.text(&host)(name)
	if c := n.child("service-port"); c != nil {
		port = c.text
	}
	if host != "" {
		r.file.Addresses = append(r.file.Addresses, joinPort(host, port))
	}
}

func (r *reader) strategies(n *node) {
	strategy := func(c *node) {
		if r.enabled(c, false) {
			r.notFound(c)
		}
	}
	r.section(n, grammar{
		"node-filter":        {read: nothing},
		"discovery-strategy": {read: strategy, many: true},
		"discovery-strategies": {read: func(list *node) { // YAML
			for _, c := range list.children {
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
		"@enabled":        {read: r.boolean(new(bool))},
		"discovery-token": {read: nothing},
	})
	if r.enabled(n, false) {
		r.notFound(n)
	}
}
