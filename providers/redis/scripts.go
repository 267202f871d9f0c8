package redis

import (
	"crypto/sha1" //nolint:gosec // it is how the server names scripts
	"encoding/hex"

	"github.com/redis/rueidis"
)

// A script is a text that the server executes as a whole, on one key.
type script struct{ text, sum string }

func newScript(text string) script {
	sum := sha1.Sum([]byte(text)) //nolint:gosec // likewise
	return script{text: text, sum: hex.EncodeToString(sum[:])}
}

// allowFull lets a script run on a server that has no room left, from Redis 7 on.
const allowFull = "#!lua flags=allow-oom\n"

// envelope reads the deadline of a value, or false if the value is not ours.
const envelope = `
local function deadlineIn(value)
	if #value < 16 or string.sub(value, 1, 2) ~= 'K1' then
		return false
	end
	local a, b, c, d, e, f = string.byte(value, 3, 8)
	return ((((a * 256 + b) * 256 + c) * 256 + d) * 256 + e) * 256 + f
end
`

// noting notes a deadline under KEYS[2], if there is such a key: it is on the same server as KEYS[1], and not so in a
// cluster.
const noting = `
local function note(deadline, keep)
	if KEYS[2] and deadline ~= '0' then
		redis.call('ZADD', KEYS[2], 'LT', deadline, KEYS[1])
		redis.call('PEXPIRE', KEYS[2], keep)
	end
end
`

// present leaves in id the identifier of the record that is alive at ARGV[1], or false.
const present = envelope + `
local head = redis.call('GETRANGE', KEYS[1], 0, 15)
local id = false
if #head > 0 then
	local deadline = deadlineIn(head)
	if not deadline then
		return redis.error_reply('FOREIGN not a record of keepsake')
	end
	if deadline == 0 or deadline > tonumber(ARGV[1]) then
		id = string.sub(head, 9, 16)
	end
end
`

const (
	// ARGV: now, the identifier that must be there or nothing, the value or nothing, its
	// life. The answer is 1, the value that is there instead, or nil.
	swapText = present + `
if id ~= (#ARGV[2] > 0 and ARGV[2]) then
	return id and redis.call('GET', KEYS[1])
end
if #ARGV[3] == 0 then
	redis.call('DEL', KEYS[1])
elseif ARGV[4] == '0' then
	redis.call('SET', KEYS[1], ARGV[3])
else
	redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
end
return 1
`
	// ARGV: now, the identifier that must be there, the envelope, the life, the deadline, and for how long deadlines
	// are kept.
	touchText = present + noting + `
if id ~= ARGV[2] then
	return 0
end
note(ARGV[5], ARGV[6])
redis.call('SETRANGE', KEYS[1], 0, ARGV[3])
if ARGV[4] == '0' then
	redis.call('PERSIST', KEYS[1])
else
	redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
return 1
`
	// ARGV: now, the kind of the change (= if the identifier that follows is there, < and say what was
	// there, * whatever was there), the identifier or nothing, the value or nothing, its life, and to
	// whom it is told: the channel, the place and the key; the deadline, and for how long deadlines are kept. The
	// answer is what was there if that was asked or the identifier is not, and otherwise 1.
	changeText = envelope + noting + `
local old, foreign = redis.pcall('GET', KEYS[1]), false
if type(old) == 'table' then
	if ARGV[2] ~= '*' then
		return old
	end
	old = false
end
local deadline = old and deadlineIn(old)
if old and not deadline then
	if ARGV[2] == '=' then
		return redis.error_reply('FOREIGN not a record of keepsake')
	end
	old, foreign = false, old
end
local dead = old and deadline > 0 and deadline <= tonumber(ARGV[1])
local live = not dead and old
if ARGV[2] == '=' and (live and string.sub(live, 9, 16) or '') ~= ARGV[3] then
	return live
end
note(ARGV[9], ARGV[10])
if #ARGV[4] == 0 then
	redis.call('DEL', KEYS[1])
elseif ARGV[5] == '0' then
	redis.call('SET', KEYS[1], ARGV[4])
else
	redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5])
end
local untold = false
local function tell(kind, new, old)
	local answer = redis.pcall('PUBLISH', ARGV[6], kind .. ARGV[7] .. ' ' .. #new .. '\n' .. ARGV[8] .. new .. old)
	untold = untold or type(answer) == 'table'
end
if dead then
	tell('x', '', old)
end
if #ARGV[4] > 0 then
	tell('p', ARGV[4], live or '')
elseif live then
	tell('r', '', live)
end
if untold then
	return redis.error_reply('UNTOLD')
end
return ARGV[2] ~= '<' and 1 or live or foreign
`
	// ARGV: now, the channel, the place and the key. What is dead is removed, and told. The
	// answer is the deadline of what is alive, if it has one.
	expireText = envelope + `
local deadline = deadlineIn(redis.call('GETRANGE', KEYS[1], 0, 15))
if not deadline or deadline == 0 then
	return false
end
if deadline > tonumber(ARGV[1]) then
	return string.format('%.0f', deadline)
end
local old = redis.call('GET', KEYS[1])
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', ARGV[2], 'x' .. ARGV[3] .. ' 0\n' .. ARGV[4] .. old)
return false
`
	// ARGV: now, how many at most, for how long the rest is kept. The answer is what is due,
	// and is not there any more.
	takeText = `
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
if #due > 0 then
	redis.call('ZREM', KEYS[1], unpack(due))
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return due
`
	// ARGV: for how long it is so. The answer is for how many milliseconds it has been so.
	watchedText = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local since = tonumber(redis.call('GET', KEYS[1]) or now)
redis.call('SET', KEYS[1], string.format('%.0f', since), 'PX', ARGV[1])
return now - since
`
	// ARGV: the owner, for how long. The answer is 0 if there is another one, 1 if the owner is new.
	chargeText = `
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then
	return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return owner and 2 or 1
`
	// ARGV: the least number, the channel of the events. The answer is the new generation.
	raiseText = `
local number = tonumber(redis.call('GET', KEYS[1]) or '0')
if not number then
	return redis.error_reply('NONUMBER the generation')
end
number = string.format('%.0f', math.max(number + 1, tonumber(ARGV[1])))
redis.call('SET', KEYS[1], number)
redis.pcall('PUBLISH', ARGV[2], 'c' .. number .. ' 0 0\n')
return number
`
	// ARGV: the number that the generation has at least.
	restoreText = `
if (tonumber(redis.call('GET', KEYS[1]) or '0') or 0) < tonumber(ARGV[1]) then
	redis.call('SET', KEYS[1], ARGV[1])
end
return redis.call('GET', KEYS[1])
`
	// ARGV: the owner.
	unlockText = `
if redis.call('GET', KEYS[1]) == ARGV[1] then
	return redis.call('DEL', KEYS[1])
end
return 0
`
)

var (
	swapScript      = newScript(swapText)
	touchScript     = newScript(touchText)
	touchFullScript = newScript(allowFull + touchText)
	nothingScript   = newScript("return 1")
	raiseScript     = newScript(raiseText)
	changeScript    = newScript(changeText)
	expireScript    = newScript(expireText)
	takeScript      = newScript(takeText)
	watchedScript   = newScript(watchedText)
	chargeScript    = newScript(chargeText)
	restoreScript   = newScript(restoreText)
	unlockScript    = newScript(unlockText)
)

// bySum is the command that executes a script which the server has.
func (s script) bySum(b rueidis.Builder, on runnable) rueidis.Completed {
	return b.Evalsha().Sha1(s.sum).Numkeys(int64(len(on.keys))).Key(on.keys...).Arg(on.args...).Build()
}

// byText is the command that executes a script which the server may not have.
func (s script) byText(b rueidis.Builder, on runnable) rueidis.Completed {
	return b.Eval().Script(s.text).Numkeys(int64(len(on.keys))).Key(on.keys...).Arg(on.args...).Build()
}
