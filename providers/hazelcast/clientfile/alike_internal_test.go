package clientfile

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/internal/servertest"
)

const clientTag = `<hazelcast-client xmlns="` + clientNamespace + `">`

// inClient makes an XML file of what stands in it.
func inClient(text string) string { return clientTag + text + "</hazelcast-client>" }

func inMembers(text string) string {
	return inClient("<network><cluster-members>" + text + "</cluster-members></network>")
}

func inRetry(text string) string {
	return inClient("<connection-strategy><connection-retry>" + text + "</connection-retry></connection-strategy>")
}

// alike are files that both must read alike, or both refuse.
var alike = map[string]string{
	"commas.xml":            inMembers("<address>10.1.0.5:5701, 10.1.0.6:5701</address>"),
	"ipv6.xml":              inMembers("<address>fd00::5</address><address>[fd00::6]:5701</address><address>::1</address><address>[fd00::7]</address><address>fe80::1%eth0</address>"),
	"space.xml":             inMembers("<address> 10.1.0.5:5701 \n</address><address>localhost</address>"),
	"comment.xml":           inMembers("<address>a<!-- c -->b</address>"),
	"no-address.xml":        inMembers("<address></address>"),
	"no-members.xml":        inMembers(""),
	"no-namespace.xml":      "<hazelcast-client/>",
	"twice.xml":             inClient("<network/><network/>"),
	"twice-inside.xml":      inClient("<network><smart-routing>true</smart-routing><smart-routing>false</smart-routing></network>"),
	"twice-lists.xml":       inClient("<client-labels><label>b</label></client-labels><client-labels><label>a</label></client-labels>"),
	"boolean-space.xml":     inClient("<network><smart-routing> false </smart-routing></network>"),
	"boolean-capital.xml":   inClient("<network><smart-routing>FALSE</smart-routing></network>"),
	"boolean-number.xml":    inClient("<network><smart-routing>0</smart-routing></network>"),
	"labels.xml":            inClient("<client-labels><label>b</label><label>a</label><label>a</label></client-labels>"),
	"for-ever.xml":          inRetry("<cluster-connect-timeout-millis>-1</cluster-connect-timeout-millis>"),
	"once.xml":              inRetry("<cluster-connect-timeout-millis>0</cluster-connect-timeout-millis>"),
	"negative.xml":          inRetry("<cluster-connect-timeout-millis>-5</cluster-connect-timeout-millis>"),
	"hexadecimal.xml":       inRetry("<cluster-connect-timeout-millis>0x10</cluster-connect-timeout-millis>"),
	"plus.xml":              inRetry("<cluster-connect-timeout-millis>+10</cluster-connect-timeout-millis>"),
	"long.xml":              inRetry("<cluster-connect-timeout-millis>99999999999</cluster-connect-timeout-millis>"),
	"backoff.xml":           inRetry("<initial-backoff-millis>5</initial-backoff-millis><max-backoff-millis>6</max-backoff-millis><multiplier>1.5</multiplier><jitter>0.5</jitter>"),
	"backoff-negative.xml":  inRetry("<initial-backoff-millis>-1</initial-backoff-millis>"),
	"multiplier.xml":        inRetry("<multiplier>0.5</multiplier>"),
	"jitter.xml":            inRetry("<jitter>1.5</jitter>"),
	"dial-none.xml":         inClient("<network><connection-timeout>0</connection-timeout></network>"),
	"dial-negative.xml":     inClient("<network><connection-timeout>-1</connection-timeout></network>"),
	"text-cdata.xml":        inClient("<cluster-name><![CDATA[sh&op]]></cluster-name>"),
	"text-comment.xml":      inClient("<cluster-name>sh<!-- x -->op</cluster-name>"),
	"text-entity.xml":       inClient("<cluster-name>a&amp;b</cluster-name>"),
	"text-space.xml":        inClient("<cluster-name>  two  words\n </cluster-name>"),
	"text-attribute.xml":    inClient(`<cluster-name a="b">x</cluster-name>`),
	"text-beside.xml":       inClient("<network> text </network>"),
	"properties.xml":        inClient(`<properties><property name="hazelcast.client.heartbeat.timeout">7000</property><property name="hazelcast.client.heartbeat.timeout">8000</property></properties>`),
	"property-nameless.xml": inClient("<properties><property>1</property></properties>"),
	"unknown.xml":           inClient("<nonsense/>"),
	"foreign.xml":           inClient(`<o:thing xmlns:o="urn:o"/>`),
	"schema-of-three.xml":   strings.Replace(inClient("<cluster-name>x</cluster-name>"), ">", ` xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="`+clientNamespace+` http://www.hazelcast.com/schema/client-config/hazelcast-client-config-3.12.xsd">`, 1),
	"identity.xml":          inClient(`<security><username-password username="u" password="p"/></security>`),
	"identity-half.xml":     inClient(`<security><username-password username="u"/></security>`),
	"ssl-off.xml":           inClient("<network><ssl><properties/></ssl></network>"),
	"ssl-capital.xml":       inClient(`<network><ssl enabled="True"/></network>`),
	"balancer-random.xml":   inClient(`<load-balancer type="random"/>`),
	"balancer-robin.xml":    inClient(`<load-balancer type="round-robin"/>`),
	"balancer-none.xml":     inClient(`<load-balancer/>`),
	"balancer-capital.xml":  inClient(`<load-balancer type="Random"/>`),
	"order.xml":             inClient("<serialization><byte-order>LITTLE_ENDIAN</byte-order></serialization>"),
	"order-native.xml":      inClient("<serialization><use-native-byte-order>true</use-native-byte-order></serialization>"),
	"order-case.xml":        inClient("<serialization><byte-order>little_endian</byte-order></serialization>"),
	"reconnect-case.xml":    inClient(`<connection-strategy reconnect-mode="on"/>`),
	"doctype.xml":           "<!DOCTYPE a>" + inClient(""),
	"nears.xml":             inClient(`<near-cache name="x"/><near-cache name="y"/><properties/>`),
	"group.xml":             inClient("<cluster-name>x</cluster-name><group><name>g</name></group>"),
	"import.xml":            inClient(`<import resource="part.xml"/>`),
	"import-file.xml":       inClient(`<import resource="file:part.xml"/>`),
	"import-own.xml":        inClient(`<import resource="part.xml"/><network/>`),
	"import-name.xml":       inClient(`<cluster-name>own</cluster-name><import resource="part.xml"/>`),
	"import-itself.xml":     inClient(`<import resource="import-itself.xml"/>`),
	"import-nothing.xml":    inClient(`<import resource="absent.xml"/>`),
	"part.xml":              inClient(`<network><cluster-members><address>a</address></cluster-members></network><client-labels><label>x</label></client-labels><cluster-name>imported</cluster-name>`),

	"plain.yaml":          "hazelcast-client:\n  cluster-name: shop\n",
	"no-list.yaml":        "hazelcast-client:\n  network:\n    cluster-members: 10.1.0.5:5701\n",
	"commas.yaml":         "hazelcast-client:\n  network:\n    cluster-members: ['10.1.0.5, 10.1.0.6:1']\n",
	"number-as-text.yaml": "hazelcast-client:\n  cluster-name: 5\n",
	"truth-as-text.yaml":  "hazelcast-client:\n  cluster-name: true\n",
	"null.yaml":           "hazelcast-client:\n  cluster-name:\n",
	"null-group.yaml":     "hazelcast-client:\n  network:\n",
	"nothing.yaml":        "hazelcast-client:\n",
	"empty.yaml":          "",
	"labels.yaml":         "hazelcast-client:\n  client-labels:\n    - b\n    - a\n    - 1\n",
	"labels-text.yaml":    "hazelcast-client:\n  client-labels: a\n",
	"quoted-truth.yaml":   "hazelcast-client:\n  network:\n    smart-routing: \"false\"\n",
	"capital-truth.yaml":  "hazelcast-client:\n  network:\n    smart-routing: False\n",
	"number-truth.yaml":   "hazelcast-client:\n  network:\n    smart-routing: 1\n",
	"null-truth.yaml":     "hazelcast-client:\n  network:\n    smart-routing: null\n",
	"twice.yaml":          "hazelcast-client:\n  cluster-name: a\n  cluster-name: b\n",
	"for-ever.yaml":       "hazelcast-client:\n  connection-strategy:\n    async-start: true\n    reconnect-mode: OFF\n    connection-retry:\n      cluster-connect-timeout-millis: -1\n      multiplier: 2\n",
	"off-quoted.yaml":     "hazelcast-client:\n  connection-strategy:\n    reconnect-mode: \"OFF\"\n",
	"mode-case.yaml":      "hazelcast-client:\n  connection-strategy:\n    reconnect-mode: async\n",
	"outside.yaml":        "other: 1\nhazelcast-client:\n  cluster-name: a\n",
	"misspelt.yaml":       "hazelcast-client:\n  cluster-nam: a\n",
	"no-members.yaml":     "hazelcast-client:\n  network:\n    cluster-members: []\n",
	"null-members.yaml":   "hazelcast-client:\n  network:\n    cluster-members:\n",
	"balancer.yaml":       "hazelcast-client:\n  load-balancer:\n    type: random\n",
	"identity.yaml":       "hazelcast-client:\n  security:\n    username-password:\n      username: u\n      password: p\n",
	"identity-half.yaml":  "hazelcast-client:\n  security:\n    username-password:\n      username: u\n",
	"two-documents.yaml":  "hazelcast-client:\n  cluster-name: a\n---\nhazelcast-client:\n  cluster-name: b\n",
	"quoted-number.yaml":  "hazelcast-client:\n  network:\n    connection-timeout: \"500\"\n",
	"fraction.yaml":       "hazelcast-client:\n  network:\n    connection-timeout: 5.5\n",
	"negative.yaml":       "hazelcast-client:\n  network:\n    connection-timeout: -1\n",
	"hexadecimal.yaml":    "hazelcast-client:\n  network:\n    connection-timeout: 0x10\n",
	"long.yaml":           "hazelcast-client:\n  connection-strategy:\n    connection-retry:\n      cluster-connect-timeout-millis: 99999999999\n      multiplier: \"2.5\"\n",
	"property-null.yaml":  "hazelcast-client:\n  properties:\n    a:\n",
	"heartbeat.yaml":      "hazelcast-client:\n  properties:\n    hazelcast.client.heartbeat.interval: 2000\n    hazelcast.client.shuffle.member.list: false\n",
	"import.yaml":         "hazelcast-client:\n  import:\n    - part.yaml\n  network:\n    smart-routing: false\n",
	"import-lists.yaml":   "hazelcast-client:\n  import: [part.yaml]\n  network:\n    cluster-members: [b]\n  client-labels: [y]\n",
	"import-same.yaml":    "hazelcast-client:\n  import: [part.yaml]\n  cluster-name: shop\n",
	"import-other.yaml":   "hazelcast-client:\n  import: [part.yaml]\n  cluster-name: own\n",
	"import-chain.yaml":   "hazelcast-client:\n  import: [import.yaml, plain.yaml]\n",
	"import-text.yaml":    "hazelcast-client:\n  import: part.yaml\n",
	"import-bare.yaml":    "hazelcast-client:\n  import: [bare.yaml]\n",
	"import-twice.yaml":   "hazelcast-client:\n  import: [import-bare.yaml, bare.yaml]\n",
	"part.yaml":           "hazelcast-client:\n  cluster-name: shop\n  client-labels: [x]\n  network:\n    cluster-members: [a]\n",
}

// differences are the files that the two do not read alike, each with what is made of it here. The
// package's documentation has them all.
var differences = map[string]struct{ text, ours string }{
	"variable.xml":       {inClient("<cluster-name>${no.such}</cluster-name>"), "is not set"},
	"latin1.xml":         {`<?xml version="1.0" encoding="ISO-8859-1"?>` + inClient(""), "only UTF-8"},
	"empty-name.xml":     {inClient("<cluster-name></cluster-name>"), "must be a text, and is empty"},
	"port-range.xml":     {inMembers("<address>10.1.0.5:5701-5703</address>"), "is not an address"},
	"port.xml":           {inMembers("<address>a:70000</address>"), "is not an address"},
	"words.xml":          {inMembers("<address>10.1.0.6 10.1.0.7</address>"), "is not an address"},
	"star.xml":           {inMembers("<address>10.1.0.*</address>"), "is not an address"},
	"alias.yaml":         {"hazelcast-client:\n  cluster-name: &a shop\n  instance-name: *a\n", "aliases are not allowed"},
	"yes.yaml":           {"hazelcast-client:\n  network:\n    smart-routing: yes\n", "must be true or false"},
	"dial-none.yaml":     {"hazelcast-client:\n  network:\n    connection-timeout: 0\n", "must be 1 or more"},
	"bare.yaml":          {"cluster-name: bare\nnetwork:\n  smart-routing: false\n", ""},
	"replacer.xml":       {inClient(`<config-replacers><replacer class-name="com.hazelcast.config.replacer.EncryptionReplacer"/></config-replacers>`), "is not supported"},
	"key-store.xml":      {inClient(`<network><ssl enabled="true"><properties><property name="keyStore">k</property></properties></ssl></network>`), "Java key stores cannot be read"},
	"balancer-class.xml": {inClient(`<load-balancer type="custom">x.Y</load-balancer>`), ""},
}

func TestFilesAreReadAsJavaReadsThem(t *testing.T) {
	files := maps.Clone(alike)
	for name, d := range differences {
		files[name] = d.text
	}
	dir := writeFiles(t, files)
	names := slices.Sorted(maps.Keys(files))
	java := javaReads(t, servers.HazelcastVersion, dir, false, names...)
	for _, name := range names {
		f, problems := reading(dir, name)
		d, differs := differences[name]
		if !differs {
			agree(t, name, files[name], f, problems, java[name])
			continue
		}
		if all := strings.Join(problems, "\n"); (d.ours == "") != (all == "") || !strings.Contains(all, d.ours) {
			t.Errorf("%s: got %q, want %q", name, all, d.ours)
		}
	}
}

// examples have what this client refuses, as it would be unsafe or impossible; these are the refusals.
var refusedInExamples = []string{
	"config-replacers", "network.socket-interceptor", "network.aws", "network.discovery-strategies", "security.credentials", "security.realms",
}

// The full examples of Hazelcast say here what they say there. Only their import, of a file that
// there is not, is left out.
func TestFullExamplesAreReadAsJavaReadsThem(t *testing.T) {
	for _, version := range servers.HazelcastVersions {
		t.Run(version, func(t *testing.T) {
			files := make(map[string]string)
			for _, syntax := range []string{"xml", "yaml"} {
				data, err := servers.HazelcastExample(version, "hazelcast-client-full-example."+syntax)
				servertest.Check(t, err)
				var kept []string
				for line := range strings.Lines(string(data)) {
					switch text := strings.TrimSpace(line); {
					case strings.HasPrefix(text, "<import "), text == "import:", text == "- your-client-configuration-YAML-file":
					default:
						kept = append(kept, line)
					}
				}
				files["full."+syntax] = strings.Join(kept, "")
			}
			dir := writeFiles(t, files)
			for name, java := range javaReads(t, version, dir, false, slices.Sorted(maps.Keys(files))...) {
				if java.Error != "" {
					t.Fatalf("Java refuses its own example: %s", java.Error)
				}
				f, problems := reading(dir, name)
				if diff := cmp.Diff(meaningOfJavas(java), meaningOfOurs(f)); diff != "" {
					t.Errorf("%s (-java +ours):\n%s", name, diff)
				}
				for _, p := range problems {
					if !slices.ContainsFunc(refusedInExamples, func(path string) bool { return strings.Contains(p, ": "+path) }) {
						t.Errorf("%s", p)
					}
				}
			}
		})
	}
}

// Variables of the environment stand above the file, as in Java.
func TestEnvironmentStandsAboveTheFile(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"client.xml": inClient(`<network><cluster-members><address>a</address></cluster-members><smart-routing>false</smart-routing></network>
			<client-labels><label>x</label></client-labels><cluster-name>file</cluster-name><connection-strategy><connection-retry><multiplier>1.5</multiplier></connection-retry></connection-strategy>
			<serialization><byte-order>LITTLE_ENDIAN</byte-order></serialization><security><username-password username="f" password="g"/></security>`),
		"client.yaml": "hazelcast-client:\n  cluster-name: file\n  network: {cluster-members: [a], connection-timeout: 9}\n  load-balancer: {type: random}\n",
	})
	for _, variables := range []map[string]string{
		{"HZCLIENT_CLUSTERNAME": "env", "HZCLIENT_NETWORK_SMARTROUTING": "false", "HZCLIENT_LOADBALANCER_TYPE": "random", "HZCLIENT_INSTANCENAME": "i",
			"HZCLIENT_CONNECTIONSTRATEGY_ASYNCSTART": "true", "HZCLIENT_SERIALIZATION_PORTABLEVERSION": "3"},
		{"HZCLIENT_NETWORK_CLUSTERMEMBERS_0": "b", "HZCLIENT_NETWORK_CLUSTERMEMBERS_1": "c:5701", "HZCLIENT_CLIENTLABELS_0": "l",
			"HZCLIENT_SECURITY_USERNAMEPASSWORD_USERNAME": "u", "HZCLIENT_SECURITY_USERNAMEPASSWORD_PASSWORD": "p",
			"HZCLIENT_CONNECTIONSTRATEGY_CONNECTIONRETRY_CLUSTERCONNECTTIMEOUTMILLIS": "7", "HZCLIENT_NETWORK_CONNECTIONTIMEOUT": "77"},
		{"HZCLIENT_CLUSTER-NAME": "hyphen", "hzclient_instancename": "x", "HZ_CLIENT_INSTANCENAME": "x"},
	} {
		t.Run("", func(t *testing.T) {
			for name, value := range variables {
				t.Setenv(name, value)
			}
			for name, java := range javaReads(t, servers.HazelcastVersion, dir, true, "client.xml", "client.yaml") {
				f, problems := reading(dir, name)
				agree(t, name+fmt.Sprint(variables), "", f, problems, java)
			}
		})
	}
	for variable, want := range map[string]string{
		"HZCLIENT_NONSENSE":                                    "HZCLIENT_NONSENSE: nonsense is not known here",
		"HZCLIENT_CLUSTER_NAME":                                "HZCLIENT_CLUSTER_NAME: cluster is not known here",
		"HZCLIENT_NETWORK_CLUSTERMEMBERS":                      "HZCLIENT_NETWORK_CLUSTERMEMBERS: network.cluster-members: takes no value; each entry has a variable of its own",
		"HZCLIENT_NETWORK_SSL_KEYSTORE":                        "HZCLIENT_NETWORK_SSL_KEYSTORE: network.ssl: keystore is not known here",
		"HZCLIENT_PROPERTIES_HAZELCAST_CLIENT_HEARTBEAT_LIMIT": "variables cannot name properties",
	} {
		t.Run(variable, func(t *testing.T) {
			t.Setenv(variable, "hush")
			_, problems := reading(dir, "client.yaml")
			if all := strings.Join(problems, "\n"); !strings.Contains(all, want) || strings.Contains(all, "hush") {
				t.Errorf("got %q, want %q", all, want)
			}
		})
	}
}

// Files that are made at random of the elements that are read mean the same to both.
func TestRandomFilesAreReadAsJavaReadsThem(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	g := &generator{rand.New(rand.NewPCG(seed, 0))}
	files := make(map[string]string)
	for i := range 300 {
		values := g.values()
		files[fmt.Sprintf("%03d.xml", i)] = values.xml()
		files[fmt.Sprintf("%03d.yaml", i)] = values.yaml()
	}
	dir := writeFiles(t, files)
	names := slices.Sorted(maps.Keys(files))
	java := javaReads(t, servers.HazelcastVersion, dir, false, names...)
	read := 0
	for _, name := range names {
		f, problems := reading(dir, name)
		agree(t, name, files[name], f, problems, java[name])
		if java[name].Error == "" {
			read++
		}
	}
	if read < len(names)/4 || read == len(names) {
		t.Errorf("Java reads %d of %d files; the generator tests too little", read, len(names))
	}
}
