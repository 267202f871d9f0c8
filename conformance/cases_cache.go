package conformance

import "slices"

// cacheCases returns the cases on a jcache.Cache.
func cacheCases() []testCase {
	return slices.Concat(lifecycleCases, errorCases, contextErrorCases, entryCases, iterationCases, valueCases, invokeCases, registeredCases,
		matrixCases(), cacheExpiryCases(), cacheRaceCases(), randomCases())
}
