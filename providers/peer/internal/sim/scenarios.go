package sim

// Scenarios are the clusters that must hold.
var Scenarios = []Scenario{
	sized("crash 2", 2, Crash),
	sized("crash 3", 3, Crash),
	sized("pause 2", 2, Pause),
	sized("pause 3", 3, Pause),
	sized("mixed 4", 4, Crash, Pause, Slow, Reset, SetClock, Restart),
	with(sized("restless 3", 3, Pause), func(s *Scenario) { s.Eager = true }),
	with(sized("hand-off 3", 3, Crash, Restart), func(s *Scenario) { s.Noise, s.Eager = true, true }),
	with(sized("split 2", 2, Cut), func(s *Scenario) { s.Splits = true }),
	with(sized("split 4", 4, Cut, CutOneWay, Crash), func(s *Scenario) { s.Splits = true }),
	with(sized("one way 3", 3, CutOneWay, CutPair, Pause), func(s *Scenario) { s.Splits = true }),
	with(sized("majority 3", 3, Cut, CutOneWay, CutPair), func(s *Scenario) { s.Consistency = true }),
	with(sized("noise 4", 4, Cut, CutOneWay, Pause), func(s *Scenario) { s.Noise, s.Splits = true, true }),
	with(sized("majority 5", 5, Cut, CutOneWay), func(s *Scenario) { s.Consistency, s.Splits = true, true }),
	with(sized("founders 3", 3, Cut), func(s *Scenario) { s.Founders, s.Splits = true, true }),
	with(sized("rolling 2", 2, Restart), func(s *Scenario) { s.Graceful = true }),
	with(sized("rolling 3", 3, Restart, Reset, Slow), func(s *Scenario) { s.Graceful = true }),
	with(sized("storm 2", 2, Storm), func(s *Scenario) { s.Graceful = true }),
}

// sized returns a scenario with the usual load.
func sized(name string, hosts int, faults ...Fault) Scenario {
	return Scenario{Name: name, Hosts: hosts, Partitions: 2, Copies: 2, Keys: 4, Clients: 4, Faults: faults}
}

func with(s Scenario, change func(*Scenario)) Scenario {
	change(&s)
	return s
}
