package keepsake_test

const preface = `# Promises

What is promised, by caches and by sessions, and what becomes of it when something goes wrong: it holds, or so much is lost.
` + "`make faults`" + ` hurts the servers while two processes use them and writes to [docs/faults](faults) what it has counted; the names are those of
tests. This page is made of both by a test. A promise is about what was acknowledged: what failed with an error is not lost.
`

var storeNames = []string{"memory", "peer", "memcached", "redis", "sql", "hazelcast"}

// The promises, in the words in which conformance/faults counts them.
const (
	entryStays   = "an entry stays"
	removalStays = "a removed entry stays removed"
	oneCreator   = "an entry that was created by one is not replaced"
	incrementsOn = "an increment counts once"
	errorSays    = "an error says what happened, in time"
	endsInTime   = "an entry ends at its deadline"
	sessionLives = "a session lives"
	changeStays  = "a change of a session stays"
	logoutStays  = "a logout stays"
	renewalStays = "a renewed id stays dead"
)

var (
	ofCaches   = []string{entryStays, removalStays, oneCreator, incrementsOn, errorSays, endsInTime}
	ofSessions = []string{sessionLives, changeStays, logoutStays, renewalStays}
	promises   = append(append([]string{}, ofCaches...), ofSessions...)
)

var faults = []struct{ name, title, what string }{
	{"kill", "A server is killed", "With kill -9, and does not come back; for memory, the process itself. Of peers and Hazelcast one of two or three; of Redis the primary of two replicas, with Sentinels and `durability: wait1`; of sql a PostgreSQL server with a synchronous replica."},
	{"freeze", "A server stands still", "With SIGSTOP for some seconds, on Hazelcast for 20, and goes on then; for memory, the process itself. Of Redis the primary of one replica, with Sentinels and `durability: wait1`; of sql MariaDB."},
	{"split", "The network is cut", "Between members, or between processes and servers."},
	{"full", "There is no room", "And nothing may be evicted: whenFull: reject, memcached -M, Redis with noeviction, SQLite on a full disk."},
	{"evicting", "There is no room, and others make some", "Entries and sessions that nobody asks for again come in by tens of thousands."},
	{"restarted empty", "A server comes back empty", "Of memcached one of two, of Redis the only one, of Hazelcast all, of peers one after the other."},
	{"skewed clocks", "Clocks are apart", "That of the server, or of one of two members, is 30 seconds ahead. Of peers those of three members, too, by 2 seconds, while one is killed."},
}

// None is why nothing of a kind was acknowledged in a fault.
var none = []struct {
	store, fault string
	promises     []string
	since        string
}{
	{"memory", "full", []string{renewalStays}, "a renewal needs room for another session"},
	{"sql", "full", []string{removalStays, oneCreator, logoutStays, renewalStays}, "SQLite needs room to write, and to delete, too"},
	{"memory", "evicting", []string{renewalStays}, "idle sessions had been dropped before"},
	{"memcached", "evicting", []string{renewalStays}, "idle sessions had been dropped before"},
	{"hazelcast", "evicting", []string{renewalStays}, "idle sessions had been dropped before"},
	{"redis", "restarted empty", []string{renewalStays}, "the sessions were lost before"},
	{"hazelcast", "restarted empty", []string{renewalStays}, "the sessions were lost before"},
}

// Evidence is tests that hold promises in faults, or why there is nothing to hold.
var evidence = []struct {
	store            string
	faults, promises []string
	says             string
	tests            []string // directory.Name
}{
	{"memory", []string{"kill", "restarted empty"}, promises, "all is lost with the process, and nothing comes back", nil},
	{"memory", []string{"freeze"}, promises, "nobody else is there meanwhile", nil},
	{"memory", []string{"split"}, promises, "has no network", nil},
	{"memory", []string{"skewed clocks"}, promises, "has one clock", nil},
	{"memory", []string{"full"}, []string{entryStays, errorSays}, "", []string{"providers/memory.TestExpiredEntriesTakeNoRoom", "providers/memory.TestTooLargeEvictsNothing"}},
	{"memory", []string{"evicting"}, []string{entryStays, sessionLives}, "what is used again stays", []string{"providers/memory.TestFloodSparesWhatIsUsed", "providers/memory.TestExpiredEntriesGoFirst"}},

	{"peer", []string{"kill"}, ofCaches, "holds", []string{"internal/nemesis.TestTwo"}},
	{"peer", []string{"freeze", "skewed clocks", "full"}, ofCaches, "holds", []string{"internal/nemesis.TestThree"}},
	{"peer", []string{"split"}, ofCaches, "holds", []string{"internal/nemesis.TestCuts"}},
	{"peer", []string{"split"}, ofSessions, "holds", []string{"internal/nemesis.TestVisitors", "providers/peer.TestVisitorsOfASplit"}},
	{"peer", []string{"kill", "freeze"}, ofSessions, "holds in `make nemesis`", nil},
	{"peer", []string{"evicting"}, []string{entryStays}, "what was not used for long is lost", []string{"providers/peer/internal/part.TestEvictionIsOverAllCaches"}},
	{"peer", []string{"restarted empty"}, ofCaches, "holds", []string{"internal/nemesis.TestTwo"}},
	{"peer", []string{"restarted empty"}, []string{sessionLives, changeStays}, "holds", []string{"examples/hello.TestReadmeProgramSurvivesARollingRestart"}},

	{"memcached", []string{"kill"}, ofCaches, "what is on that server is unavailable, and an error says so", []string{"providers/memcached.TestOneDeadServerOfTwo"}},
	{"memcached", []string{"kill"}, ofSessions, "those on that server are unavailable, or given up by `whenLost`", []string{"internal/sessionapp.TestAServerDownHurtsNoNewVisitor", "internal/sessionapp.TestWhenLostNewSession"}},
	{"memcached", []string{"freeze"}, []string{errorSays}, "", []string{"providers/memcached.TestFrozenServerAndDeadline"}},
	{"memcached", []string{"split"}, []string{entryStays, errorSays, sessionLives}, "servers know nothing of each other: as when one stands still", []string{"providers/memcached.TestLivenessOfEachServerIsKnown"}},
	{"memcached", []string{"full"}, []string{errorSays}, "", []string{"providers/memcached.TestFull"}},
	{"memcached", []string{"evicting"}, []string{entryStays}, "what memcached evicts is lost, but no more than that", []string{"providers/memcached.TestFloodOfSmallItemsLosesNoRecord", "providers/memcached.TestEvictedGenerationLosesNoRecord"}},
	{"memcached", []string{"restarted empty"}, []string{oneCreator, incrementsOn}, "", []string{"providers/memcached.TestSwapTokenOfRestartedServer"}},
	{"memcached", []string{"skewed clocks"}, []string{endsInTime, sessionLives}, "what a process writes whose clock is wrong ends as much too early or too late; told", []string{"configfile.TestProcessesWhoseClocksDiffer"}},

	{"redis", []string{"kill", "freeze"}, []string{entryStays}, "without `durability`, what no replica has is lost", []string{"providers/redis.TestFaultFailover"}},
	{"redis", []string{"kill", "freeze"}, []string{errorSays}, "", []string{"providers/redis.TestHealthOfAServerThatIsDown", "internal/sessionapp.TestAcceptance"}},
	{"redis", []string{"full"}, []string{entryStays, errorSays, sessionLives, logoutStays}, "", []string{"providers/redis.TestAFullServer", "providers/redis.TestAnswersOfAServerThatDoesNotServe"}},
	{"redis", []string{"evicting"}, []string{entryStays, sessionLives}, "what Redis drops is lost; told", []string{"providers/redis.TestEvictionsAreTold"}},
	{"redis", []string{"split"}, []string{entryStays, errorSays, sessionLives}, "one process reaches the server, and the other one does not", nil},
	{"redis", []string{"restarted empty"}, []string{errorSays}, "", []string{"providers/redis.TestAServerThatIsStartedAgain"}},
	{"redis", []string{"skewed clocks"}, promises, "the server's clock decides nothing; that of a process does, and is told", []string{"providers/redis.TestADeadRecordIsAbsentThoughTheServerHasIt"}},

	{"sql", []string{"kill"}, []string{entryStays, incrementsOn}, "with a synchronous replica, promoted; without, PostgreSQL and MariaDB come back with what they had", []string{"providers/sql.TestFaultPromotion", "providers/sql.TestFaultRestart"}},
	{"sql", []string{"full"}, []string{entryStays, errorSays}, "", []string{"providers/sql.TestFaultFullDisk"}},
	{"sql", []string{"evicting"}, promises, "a database drops nothing for lack of room", nil},
	{"sql", []string{"restarted empty"}, promises, "a database comes back with what it had; an `unlogged` table of PostgreSQL is empty after a crash", []string{"providers/sql.TestFaultRestart"}},
	{"sql", []string{"skewed clocks"}, []string{endsInTime, sessionLives}, "deadlines are kept in the database's time, from which each process knows its distance", []string{"providers/sql.TestClock"}},

	{"hazelcast", []string{"kill"}, []string{entryStays, errorSays}, "", []string{"providers/hazelcast.TestChaos"}},
	{"hazelcast", []string{"freeze", "restarted empty"}, []string{errorSays}, "", []string{"providers/hazelcast.TestChaos"}},
	{"hazelcast", []string{"freeze"}, []string{incrementsOn, logoutStays, renewalStays}, "where the others join the woken member, calls wait or fail for about fifteen seconds", []string{"providers/hazelcast.TestFaultFreeze", "providers/hazelcast.TestMembersThatComeBack"}},
	{"hazelcast", []string{"full"}, promises, "maps have no bound that refuses; give the members memory enough", nil},
	{"hazelcast", []string{"split"}, []string{changeStays, logoutStays, renewalStays}, "", []string{"providers/hazelcast.TestFaultSplit"}},
	{"hazelcast", []string{"split"}, []string{removalStays}, "what one side alone removed comes back, see [what failures cost](peer.md#what-failures-cost)", nil},
	{"hazelcast", []string{"evicting"}, []string{entryStays}, "what a map evicts is lost, but no more than that; maps that drop records early are refused, where a client can see it", []string{"providers/hazelcast.TestEvictedEntriesAreAllThatIsLost", "providers/hazelcast.TestMapsThatLoseRecordsAreRefused"}},
	{"hazelcast", []string{"skewed clocks"}, []string{endsInTime, sessionLives}, "what a process writes whose clock is wrong ends as much too early or too late; told", []string{"configfile.TestProcessesWhoseClocksDiffer"}},
}
