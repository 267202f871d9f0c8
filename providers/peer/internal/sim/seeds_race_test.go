//go:build race

package sim_test

// scenarioSeeds is how many runs of each scenario a test makes: the race detector is
// slow, and one run has one goroutine anyway.
const scenarioSeeds = 20

// gate: the mutation gate makes as many runs as it takes, too many for the race detector.
const gate = false
