package databricks

// runInfo is a run as jobs 2.2 tells it.
type runInfo struct {
	RunID         int64      `json:"run_id"`
	JobID         int64      `json:"job_id"`
	RunName       string     `json:"run_name"`
	RunPageURL    string     `json:"run_page_url"`
	RunType       string     `json:"run_type"`
	Trigger       string     `json:"trigger"`
	Creator       string     `json:"creator_user_name"`
	StartTime     int64      `json:"start_time"`
	EndTime       int64      `json:"end_time"`
	Tasks         []taskInfo `json:"tasks"`
	NextPageToken string     `json:"next_page_token"`
	stateInfo
}

type taskInfo struct {
	TaskKey  string `json:"task_key"`
	RunID    int64  `json:"run_id"`
	Attempt  int    `json:"attempt_number"`
	Notebook struct {
		Path       string            `json:"notebook_path"`
		Parameters map[string]string `json:"base_parameters"`
	} `json:"notebook_task"`
	stateInfo
}

// stateInfo has the state twice: the old way, and the new one, which may come to stand alone.
type stateInfo struct {
	Old *struct {
		LifeCycle string `json:"life_cycle_state"`
		Result    string `json:"result_state"`
		Message   string `json:"state_message"`
	} `json:"state"`
	New *struct {
		State   string `json:"state"`
		Details struct {
			Code    string `json:"code"`
			Type    string `json:"type"`
			Message string `json:"message"`
		} `json:"termination_details"`
	} `json:"status"`
}

// read tells state, whether that is an end, and which. A state that is not known is no end.
func (s stateInfo) read() (state string, done bool, result, message string) {
	if s.New != nil {
		state, message = s.New.State, s.New.Details.Message
		if done = state == "TERMINATED"; done {
			result = resultOf(s.New.Details.Code)
		}
	}
	if s.Old != nil && s.Old.LifeCycle != "" {
		state = s.Old.LifeCycle
		if s.Old.Message != "" {
			message = s.Old.Message
		}
		switch state {
		case "TERMINATED":
			done, result = true, or(s.Old.Result, result)
		case "SKIPPED":
			done, result = true, Skipped
		case "INTERNAL_ERROR": // of a run, too, whose task failed
			done, result = true, or(s.Old.Result, InternalError)
		}
	}
	if done {
		result = or(result, Unknown)
	}
	return or(state, Unknown), done, result, message
}

func or(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}

// resultOf reads a code of termination as a result; what is not known stays itself, and is no success.
func resultOf(code string) string {
	switch code {
	case "RUN_EXECUTION_ERROR":
		return Failed
	case "USER_CANCELED":
		return Canceled
	}
	return code
}

func (i runInfo) run() Run {
	r := Run{
		ID: i.RunID, Job: i.JobID, Name: i.RunName, URL: i.RunPageURL, Trigger: i.Trigger, Creator: i.Creator,
		StartedAt: millis(i.StartTime),
	}
	if i.RunType == "SUBMIT_RUN" {
		r.Job = 0
	}
	r.State, r.Done, r.Result, r.Message = i.read()
	if r.Done {
		r.EndedAt = millis(i.EndTime)
	}
	last := map[string]int{}
	for _, t := range i.Tasks {
		state, _, result, message := t.read()
		task := TaskRun{t.TaskKey, t.RunID, t.Attempt, state, result, t.Notebook.Path, t.Notebook.Parameters}
		at, seen := last[t.TaskKey]
		switch {
		case !seen:
			last[t.TaskKey] = len(r.Tasks)
			r.Tasks = append(r.Tasks, task)
		case r.Tasks[at].Attempt < t.Attempt:
			r.Tasks[at] = task
		default:
			continue
		}
		r.Message = or(r.Message, message)
	}
	// A run is called an internal error, too, when it is its task that failed, or was cancelled.
	for _, t := range r.Tasks {
		if r.Result == InternalError && t.Result != "" && t.Result != Success {
			r.Result = t.Result
		}
	}
	return r
}
