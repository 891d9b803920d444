"""Every row of contract.md section 4 and every bullet of section 2, and the tests that hold it up.

A line is: row :: what tests it. `file.Class.test` is a test of the real binaries; 'words' in quotes name a unit test or a
scenario of the simulator. The first test below checks that all of them exist; the others are the rows nobody else tests.

    4 POST /sessions :: sessions.Sessions.test_an_opened_session_says_where_to_push_and_where_to_watch; sessions.Sessions.test_a_live_stream_cannot_be_opened_twice_and_the_refusal_names_it
    4 tokens live 24 h, that of an ended session reopens it :: sessions.Sessions.test_an_ended_session_is_reopened_by_its_token_under_its_id; conformance.Rows.test_a_token_lives_for_a_day
    4 PUT and POST, seq = trailing digits, extensions :: push.Push.test_multipart_answer_has_one_part_per_rendition_in_ladder_order; wrong_input.WrongInput.test_what_the_head_gives_away_is_refused_before_the_body
    4 a name without a number is an init part or 400 :: cmaf.Cmaf.test_ffmpeg_pushes_fragmented_hls_with_put; cmaf.Cmaf.test_what_is_no_initialisation_part_still_needs_a_number
    4 Content-Type is not judged :: conformance.Rows.test_the_content_type_of_a_segment_is_not_judged
    4 token in header or query :: sessions.Sessions.test_a_token_works_in_the_header_and_in_the_query
    4 an authorised push opens a session :: push.Push.test_a_push_without_a_session_opens_one_with_the_default_ladder
    4 Content-Duration, Content-Resolution, Livepeer-Transcode-Configuration :: push.Push.test_a_header_may_bring_the_ladder_of_a_new_session
    4 plain and chunked bodies, 100-continue :: http.Plain.test_plain_and_chunked_bodies_follow_each_other_on_one_connection; http.Tls.test_100_continue_is_said_when_the_body_is_wanted_and_only_then
    4 multipart answers :: push.Push.test_multipart_answer_has_one_part_per_rendition_in_ladder_order
    4 JSON answers :: push.Push.test_json_answer_names_every_rendition_with_its_numbers
    4 playlists are accepted and ignored :: http.Plain.test_playlists_beside_the_segments_are_swallowed_and_deletions_accepted; playback.Playback.test_ffmpeg_pushes_hls_with_put
    4 HLS master and media playlists :: playback.Playback.test_the_master_playlist_describes_every_rendition_and_the_source; playback.Playback.test_a_media_playlist_lists_the_last_six_segments_by_number
    4 a segment is visible in all playlists at once :: 'a segment appears in all playlists at once'
    4 order by run and seq; n+1 waits for n :: http.Plain.test_two_connections_push_one_stream_out_of_order; 'a segment past its deadline is passed over, with a discontinuity'
    4 ENDLIST, kept 60 s :: playback.Playback.test_an_ended_stream_plays_through_with_ffmpeg; 'the end of a session ends its playlist, which goes after a minute'
    4 CORS, max-age 1 :: http.Plain.test_browsers_may_ask_before_they_play; playback.Playback.test_the_master_playlist_describes_every_rendition_and_the_source
    4 DELETE /sessions/{id} :: sessions.Sessions.test_ending_a_session_frees_its_slot_at_once; 'ending a session answers what runs and turns away what waits'
    4 GET /healthz :: conformance.Rows.test_healthz_says_that_it_serves
    4 problem+json :: conformance.Rows.test_every_refusal_is_a_problem_document
    4 what headers decide comes within 50 ms, half-close, discard :: http.Plain.test_what_the_head_decides_is_answered_at_once; http.Plain.test_an_early_refusal_comes_before_the_body_and_survives_a_client_that_goes_on_sending; http.Tls.test_after_an_early_refusal_at_most_a_mebibyte_is_swallowed
    4 400 :: wrong_input.WrongInput.test_what_the_head_gives_away_is_refused_before_the_body; sessions.Sessions.test_a_wrong_ladder_is_refused_with_every_mistake_by_its_path
    4 401 :: sessions.Sessions.test_a_token_nobody_gave_out_is_unauthorized
    4 403 :: sessions.Sessions.test_a_token_is_not_good_for_another_stream
    4 404 :: sessions.Sessions.test_an_unknown_session_cannot_be_ended; refusals.WrongInput.test_unknown_places_and_methods
    4 408 :: refusals.WrongInput.test_a_client_that_dawdles_is_timed_out
    4 409 :: push.Push.test_other_bytes_under_an_answered_number_are_a_conflict_for_a_while
    4 413 :: refusals.WrongInput.test_a_body_above_the_limit_is_refused_when_its_chunks_pass_it; wrong_input.WrongInput.test_what_the_head_gives_away_is_refused_before_the_body
    4 415 :: wrong_input.WrongInput.test_what_the_head_gives_away_is_refused_before_the_body
    4 500 :: 'a request dropped without an answer is answered 500'
    4 422 :: wrong_input.WrongInput.test_what_only_bytes_can_tell_is_refused_when_they_tell_it; broken_media.BrokenMedia.test_every_broken_clip_is_answered_and_the_transcoder_lives
    4 422 poison :: 'a segment that crashes engines twice is poison'
    4 422 without video only as a first :: refusals.WrongInput.test_a_first_segment_without_video_is_bad_but_a_later_one_is_sound_only
    4 a TS cut inside: 200 and warnings :: wrong_input.WrongInput.test_a_segment_cut_inside_is_answered_with_what_decodes
    4 503 ShuttingDown :: refusals.NoRoom.test_while_it_shuts_down_it_finishes_what_it_took_and_takes_no_more
    4 503 StorageUnavailable :: 'a store that refuses the commit fails the segment, not before'; 'headers are refused for what the process lacks'
    4 503 StakeInactive :: 'headers are refused for what the process lacks'
    4 503 NoTranscoders :: refusals.NoRoom.test_without_transcoders_a_segment_is_refused_at_once
    4 503 NoCompatibleTranscoders :: 'a session without a compatible home is not helped by idle slots elsewhere'
    4 503 OrchestratorCapped :: refusals.NoRoom.test_the_operators_limit_and_the_transcoders_slots_cap_sessions_and_say_so
    4 503 OrchestratorBusy, 504 DeadlineExceeded :: refusals.NoRoom.test_a_stopped_transcoder_makes_a_session_busy_then_late_then_served_elsewhere
    4 503 TranscodeFailed :: 'retries are bounded by their budget when everything fails'
    4 precedence :: "refusals come in the contract's order"
    2 slots: reserved by the first segment, not by POST /sessions :: 'opening a session reserves nothing'; conformance.Rows.test_load_counts_slots_and_an_opened_session_has_none
    2 idle sessions give way, end after 70 s :: 'an idle session keeps its slot until somebody needs it, longest idle first'; 'a session ends after seventy seconds without a segment'
    2 transcoders share one set of slots :: topology.Topology.test_one_transcoder_serves_two_orchestrators_with_one_set_of_slots
    2 no limit is null and +Inf :: operator.Operator.test_without_limits_the_limits_are_infinite
    2 four in flight, then busy :: push.Push.test_four_segments_of_a_session_may_be_in_flight; refusals.NoRoom.test_a_stopped_transcoder_makes_a_session_busy_then_late_then_served_elsewhere
    2 deadline :: 'deadlines are three durations within four and thirty seconds'; 'the deadline follows the declared, then the measured duration'
    2 attempts end, move and are at most three :: 'an attempt without progress ends after 1.5 s and moves with its session'; 'at half the deadline a slow attempt gets a second beside it; the first valid result wins'
    2 identity: replay, outside the window transcoded again :: push.Push.test_the_same_bytes_again_get_the_same_answer_without_new_work; 'an answered segment is replayed inside the window, transcoded again outside'
    2 other bytes: conflict, then a new run :: push.Push.test_numbers_that_fall_back_far_are_a_new_run; 'other bytes under a number: conflict first, then a restart of the source'
    2 equal uploads at once are one task :: push.Push.test_two_equal_uploads_at_once_get_one_task_and_one_answer
    2 a complete body is carried through :: http.Plain.test_a_client_that_does_not_wait_for_its_answer_is_served_all_the_same; http.Tls.test_a_client_that_does_not_wait_for_its_answer_is_served_all_the_same
    2 a body cut short leaves nothing :: wrong_input.WrongInput.test_a_client_that_leaves_in_mid_upload_leaves_nothing; push.Push.test_a_body_cut_short_leaves_nothing_behind
    2 sessions outlive transcoders, shed newest first :: faults.Faults.test_a_killed_transcoder_costs_no_segment; 'what fits nowhere is shed newest first'
    2 a stream name belongs to whoever is live on it :: sessions.Sessions.test_a_live_stream_cannot_be_opened_twice_and_the_refusal_names_it; 'a live stream is a conflict that names its session'
    2 stream names :: refusals.WrongInput.test_stream_names_are_judged; hostile.Names.test_no_name_leads_out_of_anywhere
    2 limits of bytes :: conformance.Rows.test_limits_are_flags
    2 limits of frames, pixels, streams and seconds :: 'limits are counted: frames, seconds, bytes, pixels, renditions'
    2 limits of renditions :: wrong_input.WrongInput.test_what_the_head_gives_away_is_refused_before_the_body
    2 headers 16 KiB in 5 s, pauses, connections :: refusals.WrongInput.test_a_client_that_dawdles_is_timed_out; hostile.Http.test_sizes_that_lie_are_refused_or_cut_and_hold_no_memory; http.Bounds.test_connections_are_bounded_in_all_and_for_each_address

Rows of accounts (Authorization by account key, 429) belong to the tests of accounts.
"""

import datetime
import unittest

from support import claims, http_client
from support.case import TINY, ClusterCase


class Table(unittest.TestCase):
    def test_every_test_that_the_table_names_exists(self):
        table = claims.rows(__doc__)
        self.assertGreater(len(table), 50)
        claims.check_references(self, table)


class Rows(ClusterCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        cls.orchestrator = cluster.orchestrator()
        cls.transcoder = cluster.transcoder(cls.orchestrator, slots=2)

    def test_healthz_says_that_it_serves(self):
        answer = http_client.get(f"{self.orchestrator.url}/healthz")
        self.assertEqual((answer.status, answer.headers.get_content_type()), (200, "text/plain"))

    def test_a_token_lives_for_a_day(self):
        expires = self.session(self.orchestrator, TINY)["expires_at"]
        left = datetime.datetime.fromisoformat(expires.replace("Z", "+00:00")) - datetime.datetime.now(datetime.timezone.utc)
        self.assertAlmostEqual(left.total_seconds(), 24 * 3600, delta=300)

    def test_the_content_type_of_a_segment_is_not_judged(self):
        opened = self.session(self.orchestrator, TINY)
        for seq, kind in enumerate(("text/html", "application/octet-stream", "nonsense", "")):
            answer = self.orchestrator.push(opened["stream"], f"{seq}.ts", self.clips[seq], headers={"Content-Type": kind})
            self.assert_status(answer, 200)

    def test_every_refusal_is_a_problem_document(self):
        wrong_ladder = [{**TINY[0], "width": -1}, {**TINY[0], "name": "b", "bitrate": "much"}]
        answers = [
            self.orchestrator.push(self.stream(), "x.ts", b"x"),
            self.orchestrator.push(self.stream(), "0.avi", b"x"),
            self.orchestrator.push(self.stream(), "0.ts", b"no segment"),
            self.orchestrator.push(self.stream(), "0.ts", self.clips[0], headers={"Authorization": "Bearer x"}),
            self.orchestrator.open_session(self.stream(), wrong_ladder),
            self.orchestrator.end_session("0" * 32),
            self.orchestrator.playlist("nobody.m3u8"),
            http_client.request("PATCH", f"{self.orchestrator.url}/healthz"),
            http_client.get(f"{self.orchestrator.url}/nowhere"),
        ]
        for answer in answers:
            with self.subTest(answer=answer):
                self.assertEqual(answer.headers.get_content_type(), "application/problem+json")
                problem = answer.json()
                self.assertEqual(problem["status"], answer.status)
                self.assertRegex(problem["code"], "^[A-Z][A-Za-z]+$")
                self.assertTrue(problem["detail"])
                self.assertIs(problem["retryable"], False)
        self.assertEqual(len(answers[4].json()["errors"]), 2)
        for error in answers[4].json()["errors"]:
            self.assertLessEqual({"path", "detail"}, error.keys())

    def test_load_counts_slots_and_an_opened_session_has_none(self):
        def counted():
            return (self.orchestrator.transcoder(self.transcoder.name)["load"],
                    self.orchestrator.metric("millrace_orchestrator_sessions_active"),
                    self.orchestrator.metric("millrace_orchestrator_transcoder_load"))
        before = counted()
        opened = self.session(self.orchestrator, TINY)
        self.assertEqual(counted(), before)
        self.assert_status(self.orchestrator.push(opened["stream"], "0.ts", self.clips[0]), 200)
        self.assertEqual(counted(), tuple(value + 1 for value in before))

    def test_limits_are_flags(self):
        cluster = self.new_cluster()
        orchestrator = cluster.orchestrator("--body-max", "100KiB", "--renditions-max", "2", "--headers-max", "2KiB")
        cluster.transcoder(orchestrator)
        self.assert_status(orchestrator.push(self.stream(), "0.ts", bytes(100 * 1024 + 1)), 413, "SegmentTooLarge")
        three = [{**TINY[0], "name": name} for name in "abc"]
        self.assert_status(orchestrator.open_session(self.stream(), three), 400, "BadRequest")
        self.assertEqual(orchestrator.open_session(self.stream(), three[:2]).status, 201)
        self.assertEqual(http_client.get(f"{orchestrator.url}/healthz", headers={"X": "x" * 3000}).status, 400)
