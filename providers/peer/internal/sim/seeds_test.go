//go:build !race

package sim_test

// scenarioSeeds is how many runs of each scenario a test makes.
const scenarioSeeds = 2000

// gate: the mutation gate runs.
const gate = true
