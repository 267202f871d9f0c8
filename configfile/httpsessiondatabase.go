package configfile

import (
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// The provider that keeps entries in a database, and its setting for the table.
const (
	databaseProvider = "sql"
	tableSetting     = "tableName"
)

// sessionDatabaseElement says that the sessions are in a database, in Open Liberty's words. The
// data source is a cacheManager whose provider is sql.
var sessionDatabaseElement = &element{
	name: "httpSessionDatabase",
	doc:  "In which database the sessions of an httpSession are stored, instead of an httpSessionCache.",
	words: []word{
		{Setting: driver.Setting{Name: "id", Doc: "The id of the httpSession it belongs to; needed if there are several."}, valid: validID},
		{Setting: driver.Setting{Name: "dataSourceRef", Doc: "The id of the cacheManager whose provider is sql; needed if there are several."}},
		{Setting: driver.Setting{Name: tableSetting, Doc: "The tableName of that cacheManager; if it is empty, what its properties say."}, liberty: "sessions"},
	},
	fixed: []fixed{
		{Setting: driver.Setting{Name: "useMultiRowSchema", Kind: driver.KindBool},
			only: "false", why: "a session is one row; a row for each attribute waits for sessions that are larger than a record may be"},
		{Setting: driver.Setting{Name: "writeFrequency", OneOf: writeFrequencies},
			only: "END_OF_SERVLET_SERVICE", why: storedAtOnce},
		{Setting: driver.Setting{Name: "writeContents", OneOf: []string{"ONLY_UPDATED_ATTRIBUTES", "GET_AND_SET_ATTRIBUTES", "ALL_SESSION_ATTRIBUTES"}},
			only: "ONLY_UPDATED_ATTRIBUTES", why: storedWhenSet},
		{Setting: driver.Setting{Name: "skipIndexCreation", Kind: driver.KindBool},
			only: "false", why: "the index is created with the table; without createTables nothing is, and keepsake sql-schema prints the statements"},
		{Setting: driver.Setting{Name: "scheduleInvalidation", Kind: driver.KindBool},
			only: "false", why: "a session ends at its deadline, and its row is removed each reapInterval of the cacheManager"},
		{Setting: driver.Setting{Name: "noAffinitySwitchBack", Kind: driver.KindBool},
			only: "false", why: "every server reads what the last request has stored, wherever that was"},
		{Setting: driver.Setting{Name: "useInvalidatedId", Kind: driver.KindBool},
			only: "false", why: "whether a session has ended is read where it is stored, since another server may know", liberty: "true"},
		{Setting: driver.Setting{Name: "onlyCheckInCacheDuringPreInvoke", Kind: driver.KindBool},
			only: "true", why: "a request that does not ask for its session costs no statement", liberty: "false"},
		{Setting: driver.Setting{Name: "usingCustomSchemaName", Kind: driver.KindBool},
			only: "false", why: "tableName has the name of the schema in front of it"},
	},
	refused: map[string]string{
		"dataSource":                     "it is a cacheManager with provider sql, beside httpSessionDatabase; give it an id, and refer to it by dataSourceRef",
		"optimizeCacheIdIncrements":      "the cookie carries no number of a copy",
		"writeInterval":                  notAtIntervals,
		"scheduleInvalidationFirstHour":  noReaper,
		"scheduleInvalidationSecondHour": noReaper,
		"db2RowSize":                     notThatDatabase,
		"tableSpaceName":                 notThatDatabase,
		"useOracleBlob":                  notThatDatabase,
		"rowSizeLimit":                   "the largest record is maxRecordBytes of the cacheManager",
	},
	repeated: true,
}

const notThatDatabase = "the databases are PostgreSQL, MariaDB, MySQL and SQLite"

// database makes the manager keep its entries where the element says.
func (b *binder) database(e *bound, managers []CacheManagerConfig, id string) {
	for i := range managers {
		m := &managers[i]
		if m.ID != id {
			continue
		}
		if m.Config.Provider != databaseProvider {
			b.at(e.Node, "needs a cacheManager whose provider is %s, and this one's is not; otherwise the element is %s", databaseProvider, sessionCacheElement.name)
			return
		}
		table := e.values.String(tableSetting)
		if table == "" {
			return
		}
		if err := checkTable(table); err != nil {
			b.at(e.Child(tableSetting), "%v", err)
			return
		}
		if given, ok := m.Config.Settings[tableSetting]; ok && given != table {
			b.at(e.Child(tableSetting), "the cacheManager has another tableName already")
			return
		}
		settings := map[string]any{tableSetting: table}
		for name, value := range m.Config.Settings {
			settings[name] = value
		}
		m.Config.Settings = settings
	}
}

// checkTable checks a name as the provider does.
func checkTable(name string) error {
	d, err := jcache.Definition(databaseProvider)
	if err != nil {
		return nil // which is reported where the provider is named
	}
	for _, s := range d.Settings {
		if s.Name == tableSetting && s.Check != nil {
			return s.Check(name)
		}
	}
	return nil
}
