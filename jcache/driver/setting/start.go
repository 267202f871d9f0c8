package setting

// StartTimeoutName and WhenDownName are the names of the settings that StartTimeout and WhenDown declare.
const (
	StartTimeoutName = "startTimeout"
	WhenDownName     = "whenDown"
)

// The values of whenDown.
const (
	WhenDownFail  = "fail"
	WhenDownStart = "start"
)

// StartTimeout declares what every provider with servers has: how long a start waits for them.
// jcache.Open obeys it, so that it means the same for all of them.
func StartTimeout() Setting {
	return Setting{Name: StartTimeoutName, Kind: KindDuration, Default: "5s",
		Doc: "How long a start waits for what cannot be reached yet; 0: it tries once. A wrong password, an unknown host or another protocol ends it at once."}
}

// WhenDown declares, beside StartTimeout, what becomes of a start that has waited in vain. jcache.Open obeys it, too.
func WhenDown() Setting {
	return Setting{Name: WhenDownName, Default: WhenDownFail, OneOf: []string{WhenDownFail, WhenDownStart},
		Doc: "What happens when startTimeout is over: fail, or start without the provider, which is tried on; until it is reached operations fail."}
}
