package servers

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// HazelcastVersion is the version of the members that Hazelcast starts.
const HazelcastVersion = "5.3.8"

// A HazelcastCluster is a group of member processes on loopback. Members may be
// killed and started again by their index.
type HazelcastCluster struct {
	// Addrs are the members' addresses.
	Addrs []string

	start     Command
	java, jar string
	config    string // the path of the members' configuration
	args      []string
	members   []*Process
}

// hazelcastJar finds the jar where Maven keeps it.
func hazelcastJar() (string, error) {
	if jar := os.Getenv("KEEPSAKE_HAZELCAST_JAR"); jar != "" {
		return jar, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	jar := filepath.Join(home, ".m2/repository/com/hazelcast/hazelcast", HazelcastVersion, "hazelcast-"+HazelcastVersion+".jar")
	if _, err := os.Stat(jar); err != nil {
		return "", fmt.Errorf("the jar of Hazelcast %s is %w; fetch it with: "+
			"mvn -q dependency:get -Dartifact=com.hazelcast:hazelcast:%s -Dtransitive=false", HazelcastVersion, ErrNotInstalled, HazelcastVersion)
	}
	return jar, nil
}

// Hazelcast starts a cluster of n members on free ports. See HazelcastAt.
func Hazelcast(ctx context.Context, n int, config string, args ...string) (*HazelcastCluster, error) {
	addrs := make([]string, n)
	for i := range addrs {
		var err error
		if addrs[i], err = FreeAddr(); err != nil {
			return nil, err
		}
	}
	return HazelcastAt(ctx, addrs, config, args...)
}

// HazelcastAt starts a cluster of members at the given addresses, with the given
// configuration file, and waits until they have found each other. The file finds each
// member's port in ${keepsake.port} and the list of all members in
// ${keepsake.members}. args are further arguments of java, such as -Dname=value.
func HazelcastAt(ctx context.Context, addrs []string, config string, args ...string) (*HazelcastCluster, error) {
	here := func(_ int, program string, args ...string) *exec.Cmd { return exec.Command(program, args...) }
	return HazelcastWith(ctx, here, addrs, config, args...)
}

// A Command makes the command that runs the i-th member's program, in a network of its own
// for instance. The process that it starts becomes the member.
type Command func(i int, program string, args ...string) *exec.Cmd

// HazelcastWith is HazelcastAt with commands of the caller's.
func HazelcastWith(ctx context.Context, command Command, addrs []string, config string, args ...string) (*HazelcastCluster, error) {
	java, err := lookProgram("java", installPrefix()+"apt-get install -y default-jre-headless")
	if err != nil {
		return nil, err
	}
	jar, err := hazelcastJar()
	if err != nil {
		return nil, err
	}
	c := &HazelcastCluster{Addrs: addrs, start: command, java: java, jar: jar, config: config, args: args, members: make([]*Process, len(addrs))}
	for i := range addrs {
		if err := c.launch(i); err != nil {
			c.Kill()
			return nil, err
		}
	}
	if err := c.Await(ctx, len(addrs)); err != nil {
		c.Kill()
		return nil, err
	}
	return c, nil
}

func (c *HazelcastCluster) launch(i int) error {
	_, port, err := net.SplitHostPort(c.Addrs[i])
	if err != nil {
		return err
	}
	args := []string{
		"-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.net.preferIPv4Stack=true",
		"--add-modules", "java.se",
		"--add-exports", "java.base/jdk.internal.ref=ALL-UNNAMED",
		"--add-opens", "java.base/java.lang=ALL-UNNAMED",
		"--add-opens", "java.base/sun.nio.ch=ALL-UNNAMED",
		"--add-opens", "java.management/sun.management=ALL-UNNAMED",
		"--add-opens", "jdk.management/com.sun.management.internal=ALL-UNNAMED",
		"-Dhazelcast.logging.type=jdk", "-Dhazelcast.phone.home.enabled=false",
		"-Dkeepsake.port=" + port, "-Dkeepsake.members=" + strings.Join(c.Addrs, ","),
		"-Dhazelcast.config=" + c.config,
	}
	args = append(args, c.args...)
	args = append(args, "-cp", c.jar, "com.hazelcast.core.server.HazelcastMemberStarter")
	c.members[i], err = start(c.start(i, c.java, args...), c.Addrs[i])
	return err
}

// Member returns the i-th member's process.
func (c *HazelcastCluster) Member(i int) *Process { return c.members[i] }

// Restart starts the i-th member, which must have ended, at its old address.
func (c *HazelcastCluster) Restart(i int) error { return c.launch(i) }

// Await waits until every running member sees n members and the cluster is safe.
func (c *HazelcastCluster) Await(ctx context.Context, n int) error {
	for _, m := range c.members {
		select {
		case <-m.Exited():
			continue
		default:
		}
		err := m.await(ctx, func() error {
			size, err := size(ctx, m)
			if err == nil && size != n {
				return fmt.Errorf("the cluster has %d members, not %d", size, n)
			}
			if err == nil {
				_, err = health(ctx, m.Addr, "cluster-safe")
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Size returns how many members the i-th one sees, itself included.
func (c *HazelcastCluster) Size(ctx context.Context, i int) (int, error) {
	return size(ctx, c.members[i])
}

func size(ctx context.Context, m *Process) (int, error) {
	text, err := health(ctx, m.Addr, "cluster-size")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(text))
}

func health(ctx context.Context, addr, what string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/hazelcast/health/"+what, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read from
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s", what, resp.Status)
	}
	return string(body), err
}

// Kill ends every member at once.
func (c *HazelcastCluster) Kill() {
	for _, m := range c.members {
		if m != nil {
			m.Kill()
		}
	}
}
