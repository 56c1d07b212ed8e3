package seed

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
)

// officeID is the id of somebody in an office that the files do not name: the
// 9 digits of a township or the 6 of a county, and a post.
var officeID = regexp.MustCompile(`^([0-9]{9}|[0-9]{6})-(clerk-1|clerk-2|approver-1|county-1|grid-1)$`)

// posts are who an office has. A county has its approver, a township the rest.
var posts = map[string]struct {
	name   string
	role   staff.Role
	county bool
	number int // sets the people of one office apart
}{
	"clerk-1":    {"测经办甲", staff.Clerk, false, 0},
	"clerk-2":    {"测经办乙", staff.Clerk, false, 1},
	"approver-1": {"测审批甲", staff.Approver, false, 2},
	"county-1":   {"测县审批", staff.Approver, true, 3},
	"grid-1":     {"测网格员", staff.Visitor, false, 4},
}

// Office puts in the person with the given id when it is one of a township or
// county of the shipped regions, so that a newcomer can play a case anywhere:
// "320411002-clerk-1". Other ids, and people who are there, are left alone.
func Office(ctx context.Context, t table.Store, box *seal.Box, blind *seal.Blind, tree *division.Tree, id string, at time.Time) error {
	m := officeID.FindStringSubmatch(id)
	if m == nil {
		return nil
	}
	code, err := civil.ParseDivision(m[1])
	if err != nil {
		return nil // no such division, so nobody works there
	}
	post := posts[m[2]]
	if (code.Level() == civil.CountyLevel) != post.county {
		return nil
	}
	if _, there := tree.Find(code, calendar.Today(at)); !there {
		return nil
	}
	region, _ := tree.Region(code)
	who := one{ID: m[2], Name: post.name, Paper: paper(code, post.number), Role: string(post.role), Division: string(code),
		From: time.Date(2026, 1, 1, 0, 0, 0, 0, calendar.Zone)}
	return who.put(ctx, t, box, blind, id, region.County(), at)
}

// paper is an identity number for somebody who does not exist: of the office's
// county, with a sequence of 900 or more and a valid check character, another
// for every office and post.
func paper(code civil.DivisionCode, number int) string {
	office, _ := strconv.Atoi(string(code)[6:9]) // three digits
	born := time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, office*4+number)
	s := fmt.Sprintf("%s%s%03d", code.County(), born.Format("20060102"), 990+number)
	weights := [...]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}
	sum := 0
	for i, w := range weights {
		sum += int(s[i]-'0') * w
	}
	return s + string("10X98765432"[sum%11])
}
