package policy

import "fmt"

// The words of the figures about how often.
const (
	windowCalendar = "CALENDAR"
	windowRolling  = "ROLLING"
	countPerson    = "PERSON"
	countHousehold = "HOUSEHOLD"
)

// Frequency is how often one may be helped, for those who keep the markers.
type Frequency struct {
	PerYear          int
	SameCausePerYear int
	Rolling          bool // the last twelve months, else the calendar year
	ByHousehold      bool // counted by household, else by person
}

// Frequency is how often one may be helped under these rules.
func (r *Rules) Frequency() Frequency {
	f := r.content().figures.Frequency
	return Frequency{*f.PerYear.Value, *f.SameCausePerYear.Value, *f.Window.Value == windowRolling, *f.CountUnit.Value == countHousehold}
}

// recent are the earlier awards in the window that these facts fall in. An award
// dated after the facts counts: its clock was ahead, the money was real.
func (c *considered) recent() []Earlier {
	rolling := c.rules.Frequency().Rolling
	var list []Earlier
	for _, e := range c.facts.Earlier {
		if rolling && e.Day.After(c.facts.Day.AddYears(-1)) || !rolling && e.Day.Year() == c.facts.Day.Year() {
			list = append(list, e)
		}
	}
	return list
}

// frequency compares with the awards of the window. Passing a limit asks for an
// exception with a recorded reason; it is not a reason to refuse by itself,
// because only a person can judge whether there is a good one (国发〔2014〕47号).
func (c *considered) frequency() {
	f, figs := c.rules.Frequency(), c.rules.content().figures.Frequency
	window := "本自然年内"
	if f.Rolling {
		window = "近十二个月内"
	}
	recent, same := c.recent(), 0
	for _, e := range recent {
		if e.Cause == c.facts.Cause {
			same++
		}
	}
	if len(recent) == 0 {
		c.step(Step{Rule: "frequency", Article: basis(lawFirstAid, figs.PerYear.Source), Fact: window + "没有救助记录", Source: SourceChinese(SourceReliefHistory), Outcome: StepPass,
			Text: window + "没有领取过临时救助。"})
		return
	}
	c.limitTimes("same_cause", SameCauseRepeat, same, f.SameCausePerYear, figs.SameCausePerYear.Source, window+"同一事由")
	c.limitTimes("frequency", FrequencyCap, len(recent), f.PerYear, figs.PerYear.Source, window)
}

func (c *considered) limitTimes(rule, code string, had, most int, article, window string) {
	step := Step{Rule: rule, Article: basis(lawFirstAid, article), Fact: fmt.Sprintf("%s已救助%d次", window, had), Source: SourceChinese(SourceReliefHistory), Outcome: StepPass,
		Text: fmt.Sprintf("%s已救助%d次，每年不超过%d次，本次在次数以内。", window, had, most)}
	if had >= most {
		c.except(code)
		c.raise(County)
		step.Outcome = StepExcept
		step.Text = fmt.Sprintf("%s已救助%d次，达到每年%d次；有正当理由的，由工作人员写明理由后可以再次救助。", window, had, most)
	}
	c.step(step)
}
