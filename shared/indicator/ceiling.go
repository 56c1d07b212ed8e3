package indicator

import (
	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/table"
)

// Amounts that look as if they were made to stay with the township.
const (
	NearCeiling ID = "near_ceiling"
	Splits      ID = "splits"
)

// An amount is near the ceiling from nearPercent of it on. Awards to one asker
// within splitDays, each within the ceiling, are a split when together they are
// above it.
const (
	nearPercent = 95
	splitDays   = 30
	mostEarlier = 20 // awards remembered for one person
)

var ceilingIndicators = []Indicator{
	{NearCeiling, "临界金额", "just under the ceiling", Rule{
		"由乡镇（街道）决定、金额达到其审批上限95%而未超过的决定，占全部决定的比重。",
		"Awards decided by the township of 95 % of its ceiling or more and not above it, of all awards.",
		"95% 为本系统的提示线；上限见区域文件 authority.township_ceiling"}, marked, func(v View) Figure {
		return Figure{Indicator: NearCeiling, Count: v.count("near_ceiling"), Of: v.count("granted")}
	}},
	{Splits, "疑似拆分", "splits", Rule{
		"同一人（本人或共同生活的家庭成员）30天内申请所得的各笔救助均未超过乡镇（街道）上限、合计超过的，后一笔及以前各笔均列入。",
		"Awards that one person asked for, for themselves or their household, within 30 days, each within the township's ceiling and together above it; the later one and those before it are listed.",
		"30天为本系统的提示线；上限见区域文件 authority.township_ceiling"}, marked, func(v View) Figure {
		return Figure{Indicator: Splits, Count: v.count("splits"), Of: v.count("granted")}
	}},
}

var ceilingRules = []rule{
	{application.Noun, "accepted", func(s *step) error {
		// Whoever asks on behalf of others asks often, and splits nothing by it.
		if r := application.Relation(s.Facts.Text("relation")); !r.Agent() {
			s.word("asker", s.Actor.Person)
		}
		return nil
	}},
	{application.Noun, "approved", underCeiling},
	{application.Noun, "released", underCeiling},
}

// earlier are the awards to one asker.
type earlier struct {
	Awards []Case `json:"awards"`
}

func underCeiling(s *step) error {
	amount, ceiling := s.m.Fen["granted"], s.m.Fen["township"]
	if ceiling <= 0 || amount <= 0 || amount > ceiling {
		return nil
	}
	if int64(amount)*100 >= int64(ceiling)*nearPercent {
		s.count(s.today(), "near_ceiling", "")
		s.did(s.staffID(), "near_ceiling", "")
		s.mark(NearCeiling, s.today(), "", Case{Staff: s.staffID(), AmountFen: amount})
	}
	asker := s.m.Words["asker"]
	if asker == "" {
		return nil
	}
	return remember(s, table.Key{PK: prefix + "PERSON#" + asker, SK: "NOW"}, func(e *earlier) error {
		first := s.At.AddDate(0, 0, -splitDays)
		var recent []Case
		sum := amount
		for _, one := range e.Awards {
			if one.At.After(first) {
				recent = append(recent, one)
				var err error
				if sum, err = sum.Add(one.AmountFen); err != nil {
					return err
				}
			}
		}
		this := s.about(Case{Staff: s.staffID(), AmountFen: amount, At: s.At})
		if sum > ceiling && len(recent) > 0 {
			this.Code = splitCode
			for i := range recent {
				if recent[i].Code == "" {
					recent[i].Code = splitCode
					s.split(recent[i])
				}
			}
			s.split(this)
		}
		e.Awards = append(recent, this)
		e.Awards = e.Awards[max(0, len(e.Awards)-mostEarlier):]
		return nil
	})
}

const splitCode = "SPLIT"

func (s *step) split(of Case) {
	s.count(s.today(), "splits", "")
	s.did(of.Staff, "splits", "")
	s.mark(Splits, s.today(), "", of)
}
