package part

import (
	"testing"
	"unsafe"
)

func TestEntryIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(entry{}); size > 64 {
		t.Errorf("an entry takes %d bytes, more than 64", size)
	}
}
