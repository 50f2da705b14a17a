package otp

import "slices"

// Specs are checked above the machine, and by types that make much of this
// impossible. The player has to know what OTP says all the same.

// invalid checks the flags of a supervisor, in OTP's order.
func (s *Spec) Invalid() string {
	switch {
	case s.Strategy != "" && !slices.Contains([]string{"one_for_one", "one_for_all", "rest_for_one", "simple_one_for_one"}, s.Strategy):
		return "supervisor_data:invalid_strategy"
	case s.Intensity != nil && *s.Intensity < 0:
		return "supervisor_data:invalid_intensity"
	case s.Period != nil && *s.Period <= 0:
		return "supervisor_data:invalid_period"
	case s.AutoShutdown != "" && !slices.Contains([]string{"never", "any_significant", "all_significant"}, s.AutoShutdown):
		return "supervisor_data:invalid_auto_shutdown"
	}
	return ""
}

func (s *Spec) InvalidChildren() string {
	seen := map[string]bool{}
	for _, c := range s.Children {
		if bad := c.InvalidChild(s.AutoShutdown); bad != "" {
			return "start_spec:" + bad
		}
		if seen[c.ID] {
			return "start_spec:duplicate_child_name"
		}
		seen[c.ID] = true
	}
	return ""
}

func (s *Spec) InvalidChild(auto string) string {
	switch {
	case s.ID == "":
		return "missing_id"
	case s.NoStart:
		return "missing_start"
	case s.Restart != "" && !slices.Contains([]string{"permanent", "transient", "temporary"}, s.Restart):
		return "invalid_restart_type"
	case s.Significant != nil && s.Significant != true && s.Significant != false:
		return "invalid_significant"
	case s.Significant == true && (auto == "" || auto == "never"):
		return "bad_combination"
	case s.Significant == true && (s.Restart == "" || s.Restart == "permanent"):
		return "bad_combination"
	case s.Kind != "worker" && s.Kind != "supervisor":
		return "invalid_child_type"
	}
	switch v := s.Shutdown.(type) {
	case float64:
		if v < 0 {
			return "invalid_shutdown"
		}
	case string:
		if v != "brutal_kill" && v != "infinity" {
			return "invalid_shutdown"
		}
	}
	return ""
}
