package sim

import (
	"fmt"
	"strconv"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
)

// An op is one operation, as its client sees it.
type op struct {
	id, client int
	kind       part.Kind
	key        int // of a clear: the partition
	value      int // to be stored; 0: none
	cache      string
	record     []byte // to be stored instead of value; nil: none
	demand     token
	ttl        time.Duration // of what is stored; 0: for ever
	done       func(*op)     // is called at the end

	start, end, deadline int64
	host                 *host
	process              int // which of the processes of the host

	attempt int
	at      *member // where the attempt is; nil: nowhere
	maybe   bool    // an attempt may have been executed

	outcome outcome
	result  part.Result
}

type outcome int

const (
	pending outcome = iota
	done            // result holds
	nothing         // it was not executed
	unknown
)

func keyName(key int) string { return fmt.Sprint("key", key) }

var kinds = map[part.Kind]string{
	part.Get: "get", part.Put: "put", part.Delete: "delete", part.Exchange: "exchange", part.Swap: "swap", part.Touch: "touch", part.Clear: "clear",
	part.Process: "process",
}

// number reads a value back. Zero stands for none.
func number(record []byte) int {
	n, _ := strconv.Atoi(string(record))
	return n
}

func (o *op) String() string {
	what := fmt.Sprintf("op%d %s %s", o.id, kinds[o.kind], keyName(o.key))
	if o.kind == part.Clear {
		what = fmt.Sprintf("op%d clear partition %d", o.id, o.key)
	}
	if o.value != 0 {
		what += fmt.Sprintf(" := %d", o.value)
	}
	if o.kind == part.Swap || o.kind == part.Touch {
		what += fmt.Sprintf(" if %d", o.demand.value)
	}
	switch o.outcome {
	case pending:
		return what + ": open"
	case nothing:
		return what + ": not executed"
	case unknown:
		return what + ": unknown"
	}
	r := &o.result
	what += fmt.Sprintf(": status %d", r.Status)
	if r.Present.OK {
		what += fmt.Sprintf(", found %d", number(r.Present.Record))
	}
	if r.Version != 0 {
		what += fmt.Sprintf(", version %x on %d", uint64(r.Version), r.Copies)
	}
	if r.Repeated {
		what += ", repeated"
	}
	return what
}
