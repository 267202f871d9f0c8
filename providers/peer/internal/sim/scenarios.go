package sim

import "github.com/keepsake-cache/keepsake/providers/peer/internal/view"

// Scenarios are the clusters that must hold.
var Scenarios = []Scenario{
	sized("crash 2", 2, Crash),
	with(sized("crash 3", 3, Crash), scans),
	sized("pause 2", 2, Pause),
	sized("pause 3", 3, Pause),
	sized("mixed 4", 4, Crash, Pause, Slow, Reset, SetClock, Restart),
	with(sized("restless 3", 3, Pause), func(s *Scenario) { s.Eager, s.Split = true, view.All }),
	with(sized("hand-off 3", 3, Crash, Restart), func(s *Scenario) { s.Noise, s.Eager = true, true }),
	with(sized("split 2", 2, Cut), splits),
	with(sized("split 4", 4, Cut, CutOneWay, Crash), splits),
	with(sized("forgetful 3", 3, Cut, CutOneWay, Crash), splits, func(s *Scenario) { s.Tombstones = 1 }),
	with(sized("one way 3", 3, CutOneWay, CutPair, Pause), splits, sets),
	with(sized("bridge 3", 3, Bridge), splits),
	with(sized("majority 3", 3, Cut, CutOneWay, CutPair), consistent),
	with(sized("deaf 3", 3, CutOneWay, Deafen), consistent, func(s *Scenario) { s.ShortBackupTimeout = true }),
	with(sized("noise 4", 4, Cut, CutOneWay, Pause), splits, func(s *Scenario) { s.Noise = true }),
	with(sized("majority 5", 5, Cut, CutOneWay), splits, consistent),
	with(sized("auto 3", 3, Cut, CutOneWay, CutPair, Crash, Pause), sets),
	with(sized("auto 5", 5, Cut, CutOneWay, Crash), sets),
	with(sized("founders 3", 3, Cut), splits, sets, func(s *Scenario) { s.Founders = true }),
	with(sized("lag 4", 4, Lag, Crash, Pause, Restart), async(everybody)),
	with(sized("shift 4", 4, Shift, Lag), async(3)),
	with(sized("trust 3", 3, RestartLate, Storm, Slow, Reset), graceful, trusting),
	with(sized("full 3", 3, Crash, Pause, Restart), func(s *Scenario) { s.Memory = 900 }),
	with(sized("evict 3", 3, Crash, Pause, Restart), func(s *Scenario) { s.Keys, s.Memory, s.Evicts = 12, 1500, true }),
	with(sized("rolling 2", 2, Restart), graceful),
	with(sized("rolling 3", 3, Restart, Reset, Slow), graceful, scans),
	with(sized("storm 2", 2, Storm), graceful),
	with(sized("flap 3", 3, ShortCuts, Flap, FlapLink, Lossy), sets),
	with(sized("flap most 3", 3, ShortCuts, Flap, FlapLink, Lossy), consistent, sets),
	with(sized("flap all 3", 3, ShortCuts, Flap, FlapLink, Lossy), splits, sets),
	with(sized("far 3", 3, Far), sets),
	with(sized("links 3", 3, Repeat, DelayLink, FlapLink, Lossy, Crash), sets),
	with(sized("links all 3", 3, Repeat, DelayLink, FlapLink, Lossy, Crash), splits, sets),
	with(sized("seclude 2", 2, Seclude), sets),
	with(sized("seclude 3", 3, Seclude), sets, func(s *Scenario) { s.Split = view.All }),
	with(sized("shy 3", 3, FlapFirst), func(s *Scenario) { s.Shy, s.Split = true, view.All }),
}

// sized returns a scenario with the usual load.
func sized(name string, hosts int, faults ...Fault) Scenario {
	return Scenario{Name: name, Hosts: hosts, Partitions: 2, Copies: 2, Keys: 4, Clients: 4, Faults: faults}
}

func with(s Scenario, changes ...func(*Scenario)) Scenario {
	for _, change := range changes {
		change(&s)
	}
	return s
}

func splits(s *Scenario)     { s.Splits, s.Split = true, view.All }
func consistent(s *Scenario) { s.Split = view.Most }
func graceful(s *Scenario)   { s.Graceful = true }
func scans(s *Scenario)      { s.Scans = true }
func sets(s *Scenario)       { s.Sets = true }

// trusting has writes acknowledged when the primary alone has them.
func trusting(s *Scenario) { s.Sync = -1 }

// everybody is more copies than there are members.
const everybody = 16

// async has writes acknowledged when one of the replicas has them.
func async(copies int) func(*Scenario) {
	return func(s *Scenario) { s.Copies, s.Sync = copies, 1 }
}
