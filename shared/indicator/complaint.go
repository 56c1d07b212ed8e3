package indicator

import (
	"time"

	"github.com/doudi-aid/doudi/shared/complaint"
)

// What people complain of, and what they think of the answers.
const (
	Complaints   ID = "complaints"
	Satisfaction ID = "satisfaction"
)

// Complaint is the noun of complaints. Their events tell their state, and the
// first of them where.
const Complaint = complaint.Noun

const (
	lComplaints = "complaints"         // since filed, by state
	lOverdue    = "complaints_overdue" // since somebody was told that its clock ran out
	cReplied    = "complaint.replied"  // from filing to the reply
)

// The state in which a complaint is answered, and that in which nobody has
// accepted it yet; in all but the first somebody must act.
const (
	repliedState = string(complaint.Replied)
	filedState   = string(complaint.Filed)
)

var complaintIndicators = []Indicator{
	{Complaints, "投诉办理", "complaints", Rule{
		"此刻未答复的投诉，按办理环节分列，账龄从提出之时算到此刻；逾期指时钟已经走完的。FILED、REPLIED、REPLIED_LATE、REOPENED 为期间内提出、答复、逾期答复、重新办理的件数，用时为从提出到答复。",
		"Complaints not answered at this moment, by stage, aged from filing; overdue are those whose clock ran out. FILED, REPLIED, REPLIED_LATE and REOPENED are those of the days asked about, the times from filing to reply.",
		"《社会救助法》第六十八条；《信访工作条例》的期限"}, marked, func(v View) Figure {
		open, late := v.standingIn(lComplaints, v.Now), v.standingIn(lOverdue, v.Now)
		f := Figure{Indicator: Complaints, Count: open.count, Of: v.count("complaint.filed"), Overdue: late.count, Times: v.times(cReplied),
			OldestSeconds: v.age(open.oldest), Parts: open.parts}
		f.Parts = append(f.Parts, some("FILED", v.count("complaint.filed"))...)
		f.Parts = append(f.Parts, some("REPLIED", v.count("complaint.replied"))...)
		f.Parts = append(f.Parts, some("REPLIED_LATE", v.count("complaint.late"))...)
		f.Parts = append(f.Parts, some("REOPENED", v.count("complaint.reopened"))...)
		return f
	}},
	{Satisfaction, "投诉满意度", "satisfaction", Rule{
		"期间内对答复的评价，满意和非常满意占全部评价的比重。",
		"Ratings of replies in the days asked about; satisfied and very satisfied, of all.",
		"监督一点通的评价环节"}, marked, func(v View) Figure {
		parts, all := v.parts("rating.")
		good := v.count("rating."+string(complaint.VerySatisfied)) + v.count("rating."+string(complaint.Satisfied))
		return Figure{Indicator: Satisfaction, Count: good, Of: all, Parts: parts}
	}},
}

var complaintRules = []rule{
	{Complaint, "", func(s *step) error {
		state := s.Facts.Text("state")
		if state == "" || s.m.Words["state"] == state {
			return nil
		}
		was := s.m.Words["state"]
		s.word("state", state)
		s.close(lComplaints, "1")
		if was == filedState || state == repliedState {
			s.close(lOverdue, "1") // that clock is met; another begins, or none
		}
		if state != repliedState {
			s.open(lComplaints, "1", state, s.filed())
		}
		switch {
		case was == "":
			s.count(s.today(), "complaint.filed", "")
			s.mark(Complaints, s.today(), "FILED", Case{})
		case state == repliedState:
			if late, _ := s.Facts["late"].(bool); late {
				s.count(s.today(), "complaint.late", "")
				s.mark(Complaints, s.today(), "REPLIED_LATE", Case{})
			}
			s.count(s.today(), "complaint.replied", "")
			s.spread(s.today(), cReplied, s.At.Sub(s.filed()))
		case was == repliedState:
			s.count(s.today(), "complaint.reopened", "")
			s.mark(Complaints, s.today(), "REOPENED", Case{})
		}
		return nil
	}},
	{Complaint, "", func(s *step) error {
		if n, ok := number(s.Facts["percent"]); ok && n >= 100 {
			s.open(lOverdue, "1", s.m.Words["state"], s.At)
			s.mark(Complaints, s.today(), "OVERDUE", Case{})
		}
		return nil
	}},
	{Complaint, "", func(s *step) error {
		if rating := s.Facts.Text("rating"); rating != "" {
			s.count(s.today(), "rating.", rating)
			s.mark(Satisfaction, s.today(), rating, Case{})
		}
		return nil
	}},
}

// filed is when the complaint came in: no later act sets it back.
func (s *step) filed() time.Time {
	s.once(tAccepted)
	return s.time(tAccepted)
}
