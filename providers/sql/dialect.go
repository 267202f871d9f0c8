package sql

import (
	"regexp"
	"strconv"
	"strings"
)

// A dialect is how a kind of database says what the provider needs. In the texts, {t} is the
// table, {i} its index, {o} the outbox of its changes, {w} the table of who watches them, {f} their function
// or triggers, all quoted, and each ? an argument.
type dialect struct {
	name  string
	quote string
	// numbered says that arguments are $1, $2, ….
	numbered bool
	// oneWriter says that only one connection at a time can write.
	oneWriter bool

	// put stores a row whatever was there; of is what stands for a column of the row that was to
	// be stored, and rows for the beginning of the clause that replaces one.
	put string
	// create stores a row where none is, or one whose deadline has passed; an empty text:
	// insert, and revive if there is a row.
	create, insert, revive string
	// reap removes dead rows: those of a bucket, and with a deadline, that are not later, so many at most.
	reap string
	// now asks for the database's time in milliseconds; empty: its clock is this machine's.
	now string
	// largest asks how large a statement may be; empty: as large as need be.
	largest string
	// tables are the statements that create the table, and the row with its version; outbox are
	// those that create what is needed to watch it.
	tables, outbox []string
	// settle are statements that wait for the writes that are under way and keep others waiting,
	// until those of settled; none where writes are carried out one by one.
	settle, settled []string
	answers         map[string]answer
	unique          string // the code of a row that is there already, for insert
	missing         string // the code of a table that is not there
	there           string // the codes of a trigger, or function, that is there already
	// changesOnly says that an update may count only the rows that it changed.
	changesOnly bool
}

var dialects = map[string]*dialect{"postgres": &postgres, "mysql": &mysql, "sqlite": &sqlite}

// columns of a row, in the order of its arguments.
const columns = "cache, entry, version, deadline, bucket, record"

const oneRow = "(?, ?, ?, ?, ?, ?)"

// never is the deadline of a row that does not expire.
const never = 1<<63 - 1

// The statements that every dialect has in common.
const (
	getText     = "SELECT record, version, deadline FROM {t} WHERE cache = ? AND entry = ? AND deadline > ?"
	replaceText = "UPDATE {t} SET version = ?, deadline = ?, bucket = ?, record = ? WHERE cache = ? AND entry = ? AND version = ? AND deadline > ?"
	removeText  = "DELETE FROM {t} WHERE cache = ? AND entry = ? AND version = ? AND deadline > ?"
	deleteText  = "DELETE FROM {t} WHERE cache = ? AND entry = ?"
	touchText   = "UPDATE {t} SET deadline = ?, bucket = ? WHERE cache = ? AND entry = ? AND version = ? AND deadline > ?"
	hasText     = "SELECT 1 FROM {t} WHERE cache = ? AND entry = ? AND version = ? AND deadline = ?"
	pageText    = "SELECT entry, record, version, deadline FROM {t} WHERE cache = ? AND entry > ? AND deadline > ? ORDER BY entry LIMIT ?"
	lastText    = "SELECT entry FROM (SELECT entry FROM {t} WHERE cache = ? AND entry > ? ORDER BY entry LIMIT ?) AS page ORDER BY entry DESC LIMIT 1"
	clearText   = "DELETE FROM {t} WHERE cache = ? AND entry > ? AND entry <= ?"
	versionText = "SELECT entry, version FROM {t} WHERE cache = ? AND entry IN (?, ?)"
	sizeText    = "SELECT count(*) FROM {t} WHERE cache = ? AND deadline > ?"
	batchText   = "SELECT entry, record, version, deadline FROM {t} WHERE cache = ? AND deadline > ? AND entry IN "

	enrolText  = "INSERT INTO {w} (cache, watcher, until) VALUES (?, ?, ?)"
	renewText  = "UPDATE {w} SET until = ? WHERE cache = ? AND watcher = ? AND until > ?"
	leaveText  = "DELETE FROM {w} WHERE cache = ? AND watcher = ?"
	lapsedText = "DELETE FROM {w} WHERE until <= ?"
	newestText = "SELECT coalesce(max(id), 0) FROM {o}"
	// The content of what concerns other caches is left out.
	changeText = "SELECT id, at, CASE WHEN cache = ? THEN entry END, CASE WHEN cache = ? THEN record END, CASE WHEN cache = ? THEN old END, ended FROM {o} "
	tailText   = changeText + "WHERE id > ? ORDER BY id LIMIT ?"
	lateText   = changeText + "WHERE id IN "
	// The newest row stays, for its number.
	oldestText = "SELECT max(id) FROM (SELECT id, at FROM {o} ORDER BY id LIMIT ?) AS page WHERE at < ? AND id < (SELECT max(id) FROM {o})"
	purgeText  = "DELETE FROM {o} WHERE id <= ?"
)

// statements are the texts of a dialect for one table.
type statements struct {
	*dialect
	table string

	get, put, create, insert, revive, replace, remove, delete, touch, has string
	page, last, clear, size, reap, version                                string
	enrol, renew, leave, lapsed, newest, tail, oldest, purge              string
}

func (d *dialect) statements(table string) *statements {
	s := &statements{dialect: d, table: table}
	for text, to := range map[string]*string{
		getText: &s.get, replaceText: &s.replace, removeText: &s.remove, deleteText: &s.delete, touchText: &s.touch,
		hasText: &s.has, pageText: &s.page, lastText: &s.last, clearText: &s.clear, sizeText: &s.size, d.reap: &s.reap, versionText: &s.version,
		enrolText: &s.enrol, renewText: &s.renew, leaveText: &s.leave, lapsedText: &s.lapsed,
		newestText: &s.newest, tailText: &s.tail, oldestText: &s.oldest, purgeText: &s.purge,
	} {
		*to = s.text(text)
	}
	s.put, s.create = s.text(d.put), s.text(d.create)
	s.insert, s.revive = s.text(d.insert), s.text(d.revive)
	return s
}

// text is a statement for the table.
func (s *statements) text(text string) string {
	text = strings.NewReplacer("{t}", s.quoted(""), "{i}", s.quotedLast("_bucket"), "{o}", s.quoted("_outbox"), "{w}", s.quoted("_watchers"),
		"{f}", s.quoted("_changed"), "{inserted}", s.quoted("_inserted"), "{updated}", s.quoted("_updated"), "{deleted}", s.quoted("_deleted")).Replace(text)
	if !s.numbered {
		return text
	}
	var b strings.Builder
	for n := 1; ; n++ {
		before, after, more := strings.Cut(text, "?")
		b.WriteString(before)
		if !more {
			return b.String()
		}
		b.WriteString("$" + strconv.Itoa(n))
		text = after
	}
}

// putMany is put for n rows.
func (s *statements) putMany(n int) string {
	return s.text(strings.Replace(s.dialect.put, oneRow, list(oneRow, n), 1))
}

// batch asks for n entries.
func (s *statements) batch(n int) string { return s.text(batchText + "(" + list("?", n) + ")") }

// late asks for n rows of the outbox.
func (s *statements) late(n int) string { return s.text(lateText + "(" + list("?", n) + ")") }

func list(one string, n int) string { return strings.Repeat(one+", ", n-1) + one }

// validTable takes a table's name, with that of its schema in front or without.
var validTable = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]{0,50}\.)?[A-Za-z_][A-Za-z0-9_]{0,50}$`)

// quoted is the name of the table with a suffix.
func (s *statements) quoted(suffix string) string {
	schema, name, qualified := strings.Cut(s.table, ".")
	if !qualified {
		return s.quote + schema + suffix + s.quote
	}
	return s.quote + schema + s.quote + "." + s.quote + name + suffix + s.quote
}

// quotedLast is the same without the schema.
func (s *statements) quotedLast(suffix string) string {
	return s.quote + s.table[strings.LastIndexByte(s.table, '.')+1:] + suffix + s.quote
}
