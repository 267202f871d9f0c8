//go:build race

package sim_test

// scenarioSeeds is how many runs of each scenario a test makes: the race detector is
// slow, and one run has one goroutine anyway.
const scenarioSeeds = 20
