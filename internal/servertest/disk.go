package servertest

import (
	"os"
	"os/exec"
	"testing"
)

// SmallDisk is the directory of a disk of that size, such as 2m, for anybody to write to. Where it cannot
// be mounted, which needs root, the test is skipped.
func SmallDisk(t testing.TB, size string) (dir string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "keepsake-disk")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(dir) }) // a temporary directory
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "mode=777,size="+size, "keepsake", dir).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: a small disk cannot be mounted, which needs root: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return dir
}
