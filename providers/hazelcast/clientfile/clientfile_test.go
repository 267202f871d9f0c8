package clientfile_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/keepsake-cache/keepsake/providers/hazelcast/clientfile"
)

var update = flag.Bool("update", false, "write the .want files")

// inputs are the files of a directory that are read on their own.
func inputs(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", dir, "*.*"))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, path := range paths {
		if filepath.Ext(path) != ".want" {
			list = append(list, path)
		}
	}
	if len(list) == 0 {
		t.Fatal("no input")
	}
	return list
}

// compare checks got against the file of that name with .want added.
func compare(t *testing.T, path, got string) {
	t.Helper()
	path += ".want"
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// describe lists the fields that are not zero, one in a line.
func describe(f *clientfile.File) string {
	var b strings.Builder
	v := reflect.ValueOf(*f)
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		switch {
		case v.Field(i).IsZero():
		case name == "Found": // TestFoundValues
		case name == "Notices":
			for _, notice := range f.Notices {
				fmt.Fprintln(&b, "notice:", notice)
			}
		case name == "TLS":
			fmt.Fprintln(&b, "TLS: given")
		default:
			fmt.Fprintf(&b, "%s: %v\n", name, v.Field(i).Interface())
		}
	}
	return b.String()
}

func setVariables(t *testing.T) {
	t.Setenv("CLIENTFILE_TEST_CLUSTER", "orchard")
	t.Setenv("CLIENTFILE_TEST_HOST", "10.1.0.5")
}

func TestGoodFiles(t *testing.T) {
	setVariables(t)
	for _, path := range inputs(t, "ok") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			f, err := clientfile.Read(path, clientfile.Overrides{})
			if err != nil {
				t.Fatal(err)
			}
			compare(t, path, describe(f))
		})
	}
}

func TestBadFiles(t *testing.T) {
	setVariables(t)
	for _, path := range inputs(t, "bad") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			_, err := clientfile.Read(path, clientfile.Overrides{})
			if err == nil {
				t.Fatal("no error")
			}
			if strings.Contains(err.Error(), "secret") {
				t.Error("the error shows a secret")
			}
			compare(t, path, err.Error()+"\n")
		})
	}
}

// Every value that has an effect is told, with the line where it stands, by the name of the setting where
// there is one.
func TestFoundValues(t *testing.T) {
	setVariables(t)
	for _, path := range []string{"testdata/found.yaml", "testdata/ok/three.xml", "testdata/ok/member.xml"} {
		f, err := clientfile.Read(path, clientfile.Overrides{})
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for _, r := range f.Found {
			if r.Name == "password" {
				r.Value = "not shown"
			}
			fmt.Fprintf(&got, "%s = %v at %s\n", r.Name, r.Value, r.From)
		}
		compare(t, path+".found", got.String())
	}
}

func TestOverridesSilenceTheFile(t *testing.T) {
	f, err := clientfile.Read(filepath.Join("testdata", "overridden.xml"), clientfile.Overrides{
		ClusterName: true, Servers: true, Credentials: true, TLS: true, ConnectTimeout: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	compare(t, filepath.Join("testdata", "overridden.xml"), describe(f))
}

func TestFileLimits(t *testing.T) {
	write := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, path := range map[string]string{
		"more than 1 MiB": write("big.xml", strings.Repeat(" ", 1<<20+1)),
		"deeper than 32":  write("deep.xml", strings.Repeat("<a>", 40)),
		"nested deeper":   write("deep.yaml", strings.Repeat("{a: ", 40)+strings.Repeat("}", 40)),
		"cannot be read":  filepath.Join(t.TempDir(), "absent.yaml"),
	} {
		if _, err := clientfile.Read(path, clientfile.Overrides{}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want: %s", err, name)
		}
	}
}

func TestImportsAreCounted(t *testing.T) {
	dir := t.TempDir()
	leaf := `<hazelcast-client xmlns="http://www.hazelcast.com/schema/client-config"/>`
	root := strings.TrimSuffix(leaf, "/>") + ">"
	for i := range 100 {
		name := fmt.Sprintf("leaf%d.xml", i)
		root += `<import resource="` + name + `"/>`
		if err := os.WriteFile(filepath.Join(dir, name), []byte(leaf), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "root.xml"), []byte(root+"</hazelcast-client>"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := clientfile.Read(filepath.Join(dir, "root.xml"), clientfile.Overrides{})
	if err == nil || !strings.Contains(err.Error(), "more than 64 files") {
		t.Errorf("got %v", err)
	}
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	// A certificate and its key, made for this test and for nothing else.
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1)}, &x509.Certificate{}, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write("cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	write("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})))
	path := write("client.yaml", `
hazelcast-client:
  network:
    ssl:
      enabled: true
      factory-class-name: com.hazelcast.nio.ssl.OpenSSLEngineFactory
      properties:
        trustCertCollectionFile: cert.pem
        keyCertChainFile: `+filepath.Join(dir, "cert.pem")+`
        keyFile: key.pem
        protocol: TLSv1.2
`)
	f, err := clientfile.Read(path, clientfile.Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	c := f.TLS
	if c == nil || c.RootCAs == nil || len(c.Certificates) != 1 || c.MinVersion != tls.VersionTLS12 || c.MaxVersion != tls.VersionTLS12 || c.InsecureSkipVerify || f.AnyHost {
		t.Errorf("got %+v, any host %v", c, f.AnyHost)
	}
	if len(f.Notices) != 1 || !strings.Contains(f.Notices[0], "which Java does not check") {
		t.Errorf("notices: %q", f.Notices)
	}
}
