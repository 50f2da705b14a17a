%% Erlang/OTP's supervisor as a contestant: the workloads as package workloads
%% defines them. One request comes as a line of JSON on stdin, the figures go as
%% lines of JSON to stdout.
-module(otp).
-behaviour(supervisor).
-export([main/1, init/1, start_child/1, init_child/2]).
-export([start_server/0, handle_call/3, handle_cast/2]).

-define(UNLIMITED, 1 bsl 40).
-define(BURSTS, 20).
-define(PER_BURST, 100).
-define(ROUNDS, 5).
-define(PACE, 5). % ms

%% ---- protocol

main([Kind]) ->
    process_flag(trap_exit, true),
    logger:set_primary_config(level, none),
    Line = io:get_line(""),
    Workload = text(Line, "workload"),
    N = list_to_integer(text(Line, "n")),
    Millis = list_to_integer(text(Line, "millis")),
    try workload(Workload, Kind, N, Millis) of
        none -> io:put_chars(["{\"none\":", json("has none"), "}\n"]);
        {none, Why} -> io:put_chars(["{\"none\":", json(Why), "}\n"]);
        Figures -> [io:format("{\"metric\":~s,\"value\":~w}~n", [json(atom_to_list(M)), float(V)]) || {M, V} <- Figures]
    catch
        C:R:S -> io:put_chars(["{\"error\":", json(io_lib:format("~p:~p ~p", [C, R, S])), "}\n"])
    end,
    halt(0).

%% text is the value of a key of a flat object, as text.
text(Line, Key) ->
    {match, [V]} = re:run(Line, ["\"", Key, "\":\\s*\"?([^\",}]*)"], [{capture, all_but_first, list}]),
    V.

json(Text) -> [$", [escape(C) || C <- lists:flatten(Text)], $"].

escape($") -> "\\\"";
escape($\\) -> "\\\\";
escape(C) when C < 32 -> io_lib:format("\\u~4.16.0b", [C]);
escape(C) -> C.

%% ---- supervisors: {Kind, Strategy, Intensity, fun() -> [Child]}

init(server) -> {ok, none}; % of the gen_server
init({dynamic, _, Intensity, _}) ->
    {ok, {#{strategy => simple_one_for_one, intensity => Intensity, period => 1},
          [#{id => child, start => {?MODULE, start_child, []}}]}};
init({static, Strategy, Intensity, Children}) ->
    {ok, {#{strategy => Strategy, intensity => Intensity, period => 1}, Children()}}.

%% start starts children of those roles under one supervisor.
start(static, Strategy, Roles) ->
    {ok, Sup} = supervisor:start_link(?MODULE, {static, Strategy, ?UNLIMITED, fun() -> specs(Roles()) end}),
    Sup;
start(dynamic, one_for_one, Roles) ->
    {ok, Sup} = supervisor:start_link(?MODULE, {dynamic, one_for_one, ?UNLIMITED, none}),
    lists:foreach(fun(R) -> {ok, _} = supervisor:start_child(Sup, [R]) end, Roles()),
    Sup.

specs(Roles) ->
    [#{id => I, start => {?MODULE, start_child, [R]}} || {I, R} <- lists:zip(lists:seq(1, length(Roles)), Roles)].

stop(Sup) ->
    Ref = monitor(process, Sup),
    exit(Sup, shutdown),
    receive {'DOWN', Ref, process, Sup, _} -> receive {'EXIT', Sup, _} -> ok end end.

%% forget empties the count of restarts of the last second, which makes each
%% restart dearer. Where the record is another than OTP 25's it is left alone.
forget(Sup) ->
    sys:replace_state(Sup, fun(S) when tuple_size(S) =:= 12, is_list(element(8, S)) -> setelement(8, S, []);
                              (S) -> S
                           end).

%% ---- children: processes of proc_lib, as gen_server's are

start_child(Role) -> proc_lib:start_link(?MODULE, init_child, [self(), Role]).

init_child(Parent, Role) ->
    How = enter(Role),
    proc_lib:init_ack(Parent, {ok, self()}),
    case How of
        stay -> idle(Role);
        _ -> die(Role, How)
    end.

%% enter is the first thing a child does: a crowd counts, a victim notes the time
%% and counts the first time only, one that fails can be made to and always
%% counts, and those of a storm fail at once while it is on.
enter({crowd, Left, Driver}) ->
    case atomics:sub_get(Left, 1, 1) of
        0 -> Driver ! all, stay;
        _ -> stay
    end;
enter({victim, Times, Driver, Crowd}) ->
    atomics:put(Times, 2, now_ns()),
    Driver ! {up, self()},
    case atomics:exchange(Times, 3, 1) of
        0 -> enter(Crowd);
        1 -> stay
    end;
enter({storm, On, Count, How, Crowd}) ->
    case atomics:get(On, 1) of
        1 -> counters:add(Count, 1, 1), How;
        0 -> enter(Crowd)
    end;
enter({fails, _, Driver, Crowd}) ->
    Driver ! {up, self()},
    enter(Crowd);
enter({arrival, Caller}) -> Caller ! up, stay;
enter(postman) -> stay.

idle(Role) ->
    receive
        {fail, How} -> die(Role, How);
        {ping, From} -> From ! pong, idle(Role);
        {last, From} -> From ! handled, idle(Role);
        letter -> idle(Role)
    end.

die(Role, How) ->
    case Role of
        {victim, Times, _, _} -> atomics:put(Times, 1, now_ns());
        {fails, Times, _, _} -> atomics:put(Times, 1, now_ns());
        _ -> ok
    end,
    case How of
        exit -> exit(boom);
        error -> error(boom)
    end.

now_ns() -> erlang:monotonic_time(nanosecond).

crowd(N) ->
    Left = atomics:new(1, []),
    atomics:put(Left, 1, N),
    {crowd, Left, self()}.

expect({crowd, Left, _}, N) -> atomics:put(Left, 1, N).
wait_all() -> receive all -> ok end.

%% wait_victim waits for all, and for the one that is to fail.
wait_victim() -> wait_all(), risen().

risen() -> receive {up, Pid} -> put(victim, Pid) end.

victim(Crowd) -> {victim, atomics:new(3, []), self(), Crowd}.
fails(Crowd) -> {fails, atomics:new(1, []), self(), Crowd}.

idlers(N, Crowd) -> lists:duplicate(N, Crowd).

among(Role, Others) -> among(Role, Others, length(Others) div 2).

among(Role, Others, At) ->
    {Before, After} = lists:split(At, Others),
    Before ++ [Role | After].

%% crash makes the victim fail N times, a pause lying between, and returns the
%% times in microseconds.
crash({victim, Times, _, _}, How, N, Pause) ->
    [begin
         timer:sleep(Pause),
         get(victim) ! {fail, How},
         risen(),
         (atomics:get(Times, 2) - atomics:get(Times, 1)) / 1000
     end || _ <- lists:seq(1, N)].

%% ---- workloads. What is left running ends with the emulator.

workload("start-stop", Kind, N, _) ->
    warm(Kind),
    Crowd = crowd(N),
    Begin = now_ns(),
    Sup = start(Kind, one_for_one, fun() -> idlers(N, Crowd) end),
    wait_all(),
    Started = now_ns(),
    stop(Sup),
    [{start, (Started - Begin) / 1000 / N}, {stop, (now_ns() - Started) / 1000 / N}];

workload("memory", Kind, N, _) ->
    case file:read_file("/proc/self/status") of
        {ok, _} -> memory(Kind, N);
        {error, _} -> {none, "needs /proc"}
    end;

workload("idle", Kind, N, Millis) ->
    Crowd = crowd(N),
    _ = start(Kind, one_for_one, fun() -> idlers(N, Crowd) end),
    wait_all(),
    timer:sleep(500),
    {Cpu0, _} = statistics(runtime),
    timer:sleep(Millis),
    {Cpu, _} = statistics(runtime),
    [{cpu, (Cpu - Cpu0) / Millis * 1000}];

workload("crash-error", Kind, N, _) -> crashes(Kind, N, exit);
workload("crash-panic", Kind, N, _) -> crashes(Kind, N, error);
workload("storm-error", Kind, N, Millis) -> storm(Kind, N, Millis, exit);
workload("storm-panic", Kind, N, Millis) -> storm(Kind, N, Millis, error);

workload("one-for-all", static, N, _) -> group(one_for_all, N, N);
workload("rest-for-one", static, N, _) -> group(rest_for_one, N, N - N div 2);

workload("escalation", static, N, _) ->
    Workers = 3 * (N - 1) + 1,
    Crowd = crowd(Workers),
    Fails = fails(Crowd),
    Lowest = {static, one_for_one, 0, fun() -> specs([Fails]) end},
    Top = lists:foldl(fun(I, Sub) ->
        Intensity = case I of N -> ?UNLIMITED; _ -> 0 end,
        Idle = case I of N -> 0; _ -> 3 end,
        {static, one_for_one, Intensity, fun() ->
            specs(idlers(Idle, Crowd)) ++ [#{id => sub, start => {supervisor, start_link, [?MODULE, Sub]},
                                             type => supervisor, shutdown => infinity}]
        end}
    end, Lowest, lists:seq(1, N)),
    {ok, _} = supervisor:start_link(?MODULE, Top),
    wait_victim(),
    Took = failures(Fails, Crowd, Workers),
    [{restart, median(Took)}];

workload("churn", Kind, N, Millis) ->
    Crowd = crowd(1),
    Sup = start(Kind, one_for_one, fun() -> idlers(1, Crowd) end),
    wait_all(),
    Driver = self(),
    Begin = now_ns(),
    End = Begin + Millis * 1000000,
    Callers = [spawn_link(fun() -> Driver ! {pairs, self(), pairs(Kind, Sup, End, I, 0)} end) || I <- lists:seq(1, N)],
    Pairs = lists:sum([receive {pairs, C, P} -> P end || C <- Callers]),
    Took = now_ns() - Begin,
    [{pairs, Pairs * 1.0e9 / Took}];

workload("snapshot", Kind, N, Millis) ->
    Crowd = crowd(N + 1),
    V = victim(Crowd),
    Sup = start(Kind, one_for_one, fun() -> among(V, idlers(N, Crowd)) end),
    wait_victim(),
    List = readings(fun() -> length(supervisor:which_children(Sup)) end, N + 1, Millis),
    Count = readings(fun() -> proplists:get_value(active, supervisor:count_children(Sup)) end, N + 1, Millis),
    Calm = crash(V, exit, max(10, Millis div ?PACE) div 2, ?PACE),
    Reader = spawn_link(fun() -> list_forever(Sup) end),
    Busy = busy(V, exit, now_ns() + Millis * 500000, []),
    Reader ! {stop, self()},
    receive stopped -> ok end,
    [{list, List}, {count, Count}, {calm_p50, median(Calm)}, {busy_p50, median(Busy)}, {busy_p99, quantile(Busy, 0.99)}];

workload("message", static, N, _) ->
    {ok, Sup} = supervisor:start_link(?MODULE, {static, one_for_one, 1, fun() ->
        [#{id => postman, start => {?MODULE, start_child, [postman]}},
         #{id => server, start => {?MODULE, start_server, []}}] end}),
    [{server, Server, _, _}, {postman, Pid, _, _}] = supervisor:which_children(Sup),
    Timed = fun(F, K) ->
        F(K div 10 + 1),
        Begin = now_ns(),
        F(K),
        (now_ns() - Begin) / K
    end,
    Tell = Timed(fun(K) -> tell(Pid, K) end, N),
    PingPong = Timed(fun(K) -> pingpong(Pid, K) end, max(1, N div 10)),
    Call = Timed(fun(K) -> call(Server, K) end, max(1, N div 100)),
    [{tell, Tell}, {pingpong, PingPong}, {call, Call}];

workload(_, _, _, _) -> none.

warm(Kind) ->
    Crowd = crowd(100),
    Sup = start(Kind, one_for_one, fun() -> idlers(100, Crowd) end),
    wait_all(),
    stop(Sup).

collect() -> [garbage_collect(P) || P <- processes()].

memory(Kind, N) ->
    warm(Kind),
    Crowd = crowd(N),
    {Rss0, Heap0} = usage(),
    _ = start(Kind, one_for_one, fun() -> idlers(N, Crowd) end),
    wait_all(),
    {Rss, Heap} = usage(),
    [{rss, (Rss - Rss0) / N}, {heap, (Heap - Heap0) / N}]. % the stack is in the heap

%% usage loads no module that is not loaded already: its code would count. What is
%% collected is given back by the schedulers in their own time.
usage() ->
    collect(),
    receive after 200 -> collect() end,
    {ok, Status} = file:read_file("/proc/self/status"),
    {match, [KB]} = re:run(Status, "VmRSS:\\s*(\\d+) kB", [{capture, all_but_first, binary}]),
    {binary_to_integer(KB) * 1024, erlang:memory(processes)}.

crashes(Kind, N, How) ->
    Crowd = crowd(N + 1),
    V = victim(Crowd),
    Sup = start(Kind, one_for_one, fun() -> among(V, idlers(N, Crowd)) end),
    wait_victim(),
    crash(V, How, ?PER_BURST, 0),
    Took = lists:append([begin forget(Sup), crash(V, How, ?PER_BURST, 0) end || _ <- lists:seq(1, ?BURSTS)]),
    [{p50, median(Took)}, {p99, quantile(Took, 0.99)}, {max, lists:max(Took)}].

storm(Kind, N, Millis, How) ->
    Crowd = crowd(N + 1),
    V = victim(Crowd),
    On = atomics:new(1, []),
    Count = counters:new(1, [write_concurrency]),
    Storm = {storm, On, Count, How, Crowd},
    Sup = start(Kind, one_for_one, fun() -> among(V, lists:duplicate(N, Storm)) end),
    wait_victim(),
    Victim = get(victim),
    Children = [P || {_, P, _, _} <- supervisor:which_children(Sup), P =/= Victim],
    Calm = crash(V, How, max(10, Millis div ?PACE) div 2 + 1, ?PACE),
    atomics:put(On, 1, 1),
    [P ! {fail, How} || P <- Children],
    timer:sleep(Millis div 5),
    Begin = now_ns(),
    Before = counters:get(Count, 1),
    During = busy(V, How, Begin + Millis * 1000000, []),
    Restarts = (counters:get(Count, 1) - Before) * 1.0e9 / (now_ns() - Begin),
    atomics:put(On, 1, 0),
    [{restarts, Restarts}, {calm_p50, median(Calm)}, {innocent_p50, median(During)}, {innocent_p99, quantile(During, 0.99)}].

%% busy makes the victim fail until a time.
busy(V, How, Until, Took) ->
    case Took =/= [] andalso now_ns() >= Until of
        true -> Took;
        false -> busy(V, How, Until, crash(V, How, 1, ?PACE) ++ Took)
    end.

group(Strategy, N, Restarted) ->
    Crowd = crowd(N),
    Fails = fails(Crowd),
    _ = start(static, Strategy, fun() -> among(Fails, idlers(N - 1, Crowd), N div 2) end),
    wait_victim(),
    Took = failures(Fails, Crowd, Restarted),
    [{restart, median(Took) / Restarted}].

%% failures makes one child fail again and again and returns how long it took each
%% time until N had come up, but for the first, in microseconds.
failures({fails, Times, _, _}, Crowd, N) ->
    [_ | Took] = [begin
         expect(Crowd, N),
         get(victim) ! {fail, exit},
         wait_all(),
         Took = (now_ns() - atomics:get(Times, 1)) / 1000,
         risen(),
         timer:sleep(1),
         Took
     end || _ <- lists:seq(0, ?ROUNDS)],
    Took.

pairs(Kind, Sup, End, Caller, Pairs) ->
    case now_ns() >= End of
        true -> Pairs;
        false -> pair(Kind, Sup, {Caller, Pairs}), pairs(Kind, Sup, End, Caller, Pairs + 1)
    end.

pair(static, Sup, Id) ->
    {ok, _} = supervisor:start_child(Sup, #{id => Id, start => {?MODULE, start_child, [{arrival, self()}]}, restart => temporary}),
    receive up -> ok end,
    ok = supervisor:terminate_child(Sup, Id);
pair(dynamic, Sup, _) ->
    {ok, Pid} = supervisor:start_child(Sup, [{arrival, self()}]),
    receive up -> ok end,
    ok = supervisor:terminate_child(Sup, Pid).

%% readings is the median time of calls of F, which returns N: as many as there is
%% time for in half the length, 20 at least and a thousand at most, after one that
%% does not count.
readings(F, N, Millis) ->
    N = F(),
    median(readings(F, N, now_ns() + Millis * 500000, [])).

readings(F, N, Until, Took) ->
    case length(Took) < 20 orelse (length(Took) < 1000 andalso now_ns() < Until) of
        false -> Took;
        true ->
            Begin = now_ns(),
            N = F(),
            readings(F, N, Until, [(now_ns() - Begin) / 1000 | Took])
    end.

list_forever(Sup) ->
    receive
        {stop, From} -> From ! stopped
    after 0 ->
        supervisor:which_children(Sup),
        list_forever(Sup)
    end.

tell(Pid, 1) ->
    Pid ! {last, self()},
    receive handled -> ok end;
tell(Pid, N) ->
    Pid ! letter,
    tell(Pid, N - 1).

call(_, 0) -> ok;
call(Server, N) ->
    pong = gen_server:call(Server, ping, 10000),
    call(Server, N - 1).

pingpong(_, 0) -> ok;
pingpong(Pid, N) ->
    Pid ! {ping, self()},
    receive pong -> pingpong(Pid, N - 1) end.

%% What gen_server asks of the one that is called.
start_server() -> gen_server:start_link(?MODULE, server, []).

handle_call(ping, _, State) -> {reply, pong, State}.
handle_cast(_, State) -> {noreply, State}.

%% quantile and median are those of package results.
quantile(Values, Q) ->
    Sorted = list_to_tuple(lists:sort(Values)),
    At = Q * (tuple_size(Sorted) - 1),
    Low = trunc(At),
    case Low + 2 > tuple_size(Sorted) of
        true -> element(tuple_size(Sorted), Sorted);
        false -> element(Low + 1, Sorted) * (1 - (At - Low)) + element(Low + 2, Sorted) * (At - Low)
    end.

median(Values) -> quantile(Values, 0.5).
