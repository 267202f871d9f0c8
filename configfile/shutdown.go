package configfile

import (
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// Shutdown bounds what System.Serve does when the process is asked to end. The providers
// have bounds of their own for handing entries over, such as peer's leaveTimeout.
type Shutdown struct {
	// Delay is how long it serves on although it says that it is not ready, until
	// balancers have noticed.
	Delay time.Duration
	// DrainTimeout is how long requests in progress may take to end. Zero: five seconds.
	DrainTimeout time.Duration
}

const defaultDrainTimeout = 5 * time.Second

func (s Shutdown) withDefaults() Shutdown {
	if s.DrainTimeout == 0 {
		s.DrainTimeout = defaultDrainTimeout
	}
	return s
}

var (
	delayWord = word{Setting: driver.Setting{Name: "delay", Kind: driver.KindDuration,
		Doc: "How long it serves on although it is not ready any more, until balancers have noticed: 5s on Kubernetes."}}
	drainWord = word{Setting: driver.Setting{Name: "drainTimeout", Kind: driver.KindDuration, Default: "5s", Min: int64(time.Millisecond),
		Doc: "How long requests in progress may take to end."}}
)

var shutdownElement = &element{
	name: "shutdown",
	doc: "How a program that serves with System.Serve ends, at SIGTERM. Its provider then hands entries over, for as long as its leaveTimeout says. " +
		"Whoever starts the program must give it more time than all of this together, which it logs: 22s by default.",
	words: []word{delayWord, drainWord},
}

func shutdownOf(v driver.Values) Shutdown {
	return Shutdown{Delay: v.Duration(delayWord.Name), DrainTimeout: v.Duration(drainWord.Name)}.withDefaults()
}

func (s Shutdown) describe() lines {
	var l lines
	s = s.withDefaults()
	for _, one := range []struct {
		word
		value, standard time.Duration
	}{{delayWord, s.Delay, 0}, {drainWord, s.DrainTimeout, defaultDrainTimeout}} {
		mark := ""
		if one.value == one.standard {
			mark = "#"
		}
		l.scalar(mark, one.Setting, one.value, "")
	}
	return l
}
