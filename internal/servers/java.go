package servers

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// HazelcastVersions are the versions whose own parsers the reader of client files is compared with.
var HazelcastVersions = []string{"3.12.13", "4.2.8", HazelcastVersion, "5.5.0"}

// JavaSource makes the command that runs a source file of Java with the classes of a version of
// Hazelcast. The arguments before the file are for java.
func JavaSource(ctx context.Context, version string, options []string, file string, args ...string) (*exec.Cmd, error) {
	java, err := lookProgram("java", installPrefix()+"apt-get install -y default-jdk-headless")
	if err != nil {
		return nil, err
	}
	if _, err := lookProgram("javac", installPrefix()+"apt-get install -y default-jdk-headless"); err != nil {
		return nil, err
	}
	jars, err := hazelcastJars(version)
	if err != nil {
		return nil, err
	}
	all := append([]string{"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dhazelcast.logging.type=none", "-cp", strings.Join(jars, string(os.PathListSeparator))}, options...)
	return exec.CommandContext(ctx, java, append(append(all, file), args...)...), nil
}

// hazelcastJars finds the jars of a version where Maven keeps them. The client of Hazelcast 3 has one
// of its own.
func hazelcastJars(version string) ([]string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil, err
	}
	artifacts := []string{"hazelcast"}
	if strings.HasPrefix(version, "3.") {
		artifacts = append(artifacts, "hazelcast-client")
	}
	var jars []string
	for _, artifact := range artifacts {
		jar := filepath.Join(home, ".m2/repository/com/hazelcast", artifact, version, artifact+"-"+version+".jar")
		if _, err := os.Stat(jar); errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("the jar of %s %s is %w; fetch it with: "+
				"mvn -q dependency:get -Dartifact=com.hazelcast:%s:%s -Dtransitive=false", artifact, version, ErrNotInstalled, artifact, version)
		}
		jars = append(jars, jar)
	}
	return jars, nil
}

// HazelcastExample reads one of the examples that a version's jar has, such as
// hazelcast-client-full-example.xml.
func HazelcastExample(version, name string) ([]byte, error) {
	jars, err := hazelcastJars(version)
	if err != nil {
		return nil, err
	}
	for _, jar := range jars {
		if data, err := fromJar(jar, name); err == nil {
			return data, nil
		}
	}
	return nil, fmt.Errorf("no %s in %s", name, strings.Join(jars, ", "))
}

func fromJar(jar, name string) ([]byte, error) {
	z, err := zip.OpenReader(jar)
	if err != nil {
		return nil, err
	}
	defer z.Close() //nolint:errcheck // it was only read from
	f, err := z.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // likewise
	return io.ReadAll(f)
}
