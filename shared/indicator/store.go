package indicator

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/table"
)

// Generation is the version of the rules of the fold. When what is folded
// changes its meaning it goes up by one: the log is then folded anew, from 0, in
// partitions of its own, and the figures of before are read no more.
const Generation = 2

// Everything is in partitions that begin with INDICATOR#<generation>#:
//
//	FOLD                                POSITION         how far the log is folded
//	CELL#<division>#<programme>         D#<day>          figures of a day
//	                                    M#<month>        figures of a month
//	                                    O#<list>#<code>#<month>  what stands open since, or until, that month
//	STAFF#<division>#<programme>        D#<day>#<staff>, M#<month>#<staff>
//	MATTER#<noun>#<id>                  MATTER           what the fold knows of one case
//	                                    OPEN#<list>#<id> what stands open about it, listed by township and by county
//	MARK#<indicator>#<township>#<programme>  <day>#<index>#<n>  one case behind a figure, listed by county too
//	BURST#…, PERSON#…                   NOW              what a pattern over several cases is recognised by
const root = "INDICATOR#"

var prefix = root + strconv.Itoa(Generation) + "#"

// above ends the partitions of an index that list the cases of the townships
// below a division.
const above = "#BELOW"

const applicationNoun = application.Noun

func positionKey() table.Key { return table.Key{PK: prefix + "FOLD", SK: "POSITION"} }

func cellPK(d civil.DivisionCode, programme string) string {
	return prefix + "CELL#" + string(d) + "#" + programme
}

func officerPK(d civil.DivisionCode, programme string) string {
	return prefix + "STAFF#" + string(d) + "#" + programme
}

func matterPK(noun, id string) string { return prefix + "MATTER#" + noun + "#" + id }

func matterKey(noun, id string) table.Key { return table.Key{PK: matterPK(noun, id), SK: "MATTER"} }

// acceptedPK lists the applications of a township by the day of acceptance.
func acceptedPK(d civil.DivisionCode, programme string) string {
	return prefix + "ACCEPTED#" + string(d) + "#" + programme
}

func markPK(id ID, d civil.DivisionCode, programme string) string {
	return prefix + "MARK#" + string(id) + "#" + string(d) + "#" + programme
}

func openPK(list string, d civil.DivisionCode, programme string) string {
	return prefix + "OPEN#" + list + "#" + string(d) + "#" + programme
}

const (
	dayPrefix      = "D#"
	monthPrefix    = "M#"
	standingPrefix = "O#"
)

func daySK(day string) string   { return dayPrefix + day }
func monthSK(day string) string { return monthPrefix + day[:len("2006-01")] }

func officerSK(sk, staff string) string { return sk + "#" + staff }

func standingSK(list, code string, at time.Time) string {
	return standingPrefix + list + "#" + code + "#" + at.UTC().Format("2006-01")
}

// stamp writes t so that text order is time order.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func cutList(name, list string) (id string, ok bool) { return strings.CutPrefix(name, list+"/") }

func sorted(list []string) []string { slices.Sort(list); return list }
