package setting

// StartTimeoutName is the name of the setting that StartTimeout declares.
const StartTimeoutName = "startTimeout"

// StartTimeout declares what every provider with servers has: how long a start waits for them.
// jcache.Open obeys it, so that it means the same for all of them.
func StartTimeout() Setting {
	return Setting{Name: StartTimeoutName, Kind: KindDuration, Default: "5s",
		Doc: "How long a start waits for what cannot be reached yet; 0: it tries once. A wrong password, an unknown host or another protocol ends it at once."}
}
