"""Every test of LPMS (and of go-livepeer around it) that stands in the list of its behaviours, and what demands the same here.

A line is: name :: the tests of ours, or: name -- why it does not apply (see support/claims.py).

    TestAPI_SkippedSegment :: 'frames follow the absolute grid across segments of any length'; 'a segment past its deadline is passed over, with a discontinuity'
    TestTranscoderAPI_InvalidFile :: broken_media.BrokenMedia.test_a_bad_segment_in_the_middle_does_not_disturb_its_session
    TestTranscoderAPI_Stopped :: 'ending a session answers what runs and turns away what waits'; 'a raised cancel token ends the work'
    TestTranscoderAPI_TooManyOutputs :: conformance.Rows.test_limits_are_flags
    TestTranscoderAPI_CountEncodedFrames :: 'every clip gives the frames, sizes and times of the independent decoder'
    TestTranscoder_API_AlternatingTimestamps :: 'segments of two clocks in turn, and overlapping ones, keep their own times'
    TestTranscoder_API_DTSOverlap :: 'segments of two clocks in turn, and overlapping ones, keep their own times'
    TestTranscoder_ShortSegments :: 'segments of one to ten frames give all of them, at any rate'; 'one frame is a segment too'
    TestTranscoder_FractionalFPS :: 'fractional rates come in and go out exactly, and stand in the header'
    TestAPI_ConsecutiveMP4s :: 'fragments of consecutive segments follow any of their equal init parts'
    TestAPI_ConsecutiveMuxerOpts -- muxers take no options from outside
    TestTranscoder_EncodingProfiles :: 'profiles, constant bitrate and intra are what was asked for'
    TestAPI_SetGOPs :: 'a GOP length in seconds holds for fractional rates'; 'intra means every picture, for each codec'
    TestTranscoder_SkippedFrames :: 'pictures missing in the middle leave a gap, and no other is lost'
    TestTranscoder_AudioOnly :: refusals.WrongInput.test_a_first_segment_without_video_is_bad_but_a_later_one_is_sound_only
    TestTranscoder_OutputFPS :: 'fractional rates come in and go out exactly, and stand in the header'
    TestTranscoderAPI_ClipInvalidConfig -- segments are cut by whoever sends them; a task is a whole one
    TestTranscoderAPI_Clip -- as above
    TestTranscoderAPI_Clip2 -- as above
    TestTranscoder_NoKeyframe :: 'a segment without a key frame is refused with that reason'
    TestTranscoder_NonMonotonicAudioSegment :: 'sound that steps back in mid-segment is heard once, and the pictures all come'
    TestTranscoder_discontinuityAudioSegment :: 'a jump of the clock is closed for both streams, whichever meets it first'
    TestTranscoder_DiscontinuityPixelFormat :: 'a picture that changes in mid-segment goes on in the size it began with'
    TestTranscoder_CompareVideo -- checking transcoders is not done by signatures here (--verify)
    Test_SignDataCreate -- as above
    Test_SignDataCompare -- as above
    Test_SignDataUnescapedFilepath -- as above; and nothing is ever a file
    Nvidia_Sign* -- as above
    TestTranscoder_Resolution :: 'a rendition above its source falls away and is named'; 'odd source sizes are rounded to even ones'
    Nvidia_Portrait :: 'portrait takes the larger side of the box for its height'
    Nvidia_Resolution :: 'portrait takes the larger side of the box for its height'
    TestTranscoder_SampleRate :: 'codec, rate and channels are what was asked for, in both containers'
    TestTranscoder_Timestamp :: push.Push.test_output_times_are_source_times
    TestTranscoderStatistics_Decoded :: 'every clip gives the frames, sizes and times of the independent decoder'
    TestTranscoderStatistics_Encoded :: 'every clip gives the frames, sizes and times of the independent decoder'; push.Push.test_json_answer_names_every_rendition_with_its_numbers
    TestTranscoderStatistics_AspectRatio :: 'non-square pixels are made square before the box is applied'
    TestTranscoder_MuxerOpts -- muxers take no options from outside
    TestTranscoder_FormatOptions :: 'each codec in each container: alone and joined, keys on the grid'
    TestSW_Transcoding :: 'each codec in each container: alone and joined, keys on the grid'; 'every codec and sampling we name is read'
    TestTranscoder_EncoderOpts :: 'every preset opens every encoder'
    StreamCopy :: 'a source that fits is copied, from and to both containers'
    StreamCopy_Validate_B_Frames :: 'copied fragments of consecutive segments follow each other'
    Drop :: 'a rendition without audio has none'
    StreamCopyAndDrop :: outputs.Outputs.test_a_copy_counts_no_pixels
    TestTranscoder_RepeatedTranscodes :: 'an engine transcodes segment after segment and stays the same process'
    TestTranscoder_MismatchedEncodeDecode :: 'passthrough keeps every frame and every timestamp of video and audio'
    TestTranscoder_FFmpegMatching :: quality.Quality.test_renditions_are_as_good_as_those_of_ffmpeg
    PassthroughFPS :: 'passthrough keeps every frame and every timestamp of video and audio'
    PassthroughFPS_AdjustTimestamps :: 'frames that repeat a time are moved just behind'
    TestTranscoder_EncodedFrameRunaway :: 'few pictures far apart never become more than a segment may have'
    TestTranscoder_Metadata -- no metadata is put into segments
    TestTranscoder_IgnoreUnknown :: 'every stream that no rendition carries is named in a warning'
    TestTranscoder_GetCodecInfo :: 'the duration is told before the frames are decoded'; broken_media.BrokenMedia.test_every_broken_clip_is_answered_and_the_transcoder_lives
    DurationFPS_GetCodecInfo :: 'the duration is told before the frames are decoded'
    TestTranscoder_ZeroFrameLongBadSegment :: 'a picture stream of megabytes without a picture is refused'
    TestTranscoder_VFR :: 'every clip gives the frames, sizes and times of the independent decoder'
    TestTranscoder_Rotation :: 'a picture that changes in mid-segment goes on in the size it began with'; 'a turn that only the pictures know of is made'
    DemuxerOpts -- the container is known by its bytes and never forced
    DemuxerOptsError -- as above
    PNGDemuxerOpts -- images are no segments
    TestTranscode_DurationLimit :: 'limits are counted: frames, seconds, bytes, pixels, renditions'
    TestTranscoder_LargeOutputs :: 'times beyond any clock are not believed'; 'limits are counted: frames, seconds, bytes, pixels, renditions'
    NOPTS_SkipSegment :: 'frames without a time follow at the frame distance'
    NOPTS_MissingSEIAndPES :: 'frames without a time follow at the frame distance'
    FixMisplacedSEI_BrokenFiles -- LPMS rewrites files for the parser of a hardware decoder; the software decoder takes them as they are
    FixMisplacedSEI_NoChanges -- as above
    Nvidia_BadCodecs :: 'a codec that is none of ours is named'
    Nvidia_Pixfmts :: 'every codec and sampling we name is read'
    Nvidia_Transcoding_Multiple -- needs a GPU
    Nvidia_Devices -- needs a GPU
    Nvidia_DrainFilters -- needs a GPU
    Nvidia_CountFrames -- needs a GPU
    Nvidia_RepeatedSpecialOpts -- needs a GPU
    Nvidia_API_MixedOutput -- needs a GPU
    Nvidia_H264Parser -- needs a GPU
    Transmuxer_Pipe :: 'a source that fits is copied, from and to both containers'
    Transmuxer_Join :: playback.Playback.test_ffmpeg_pushes_hls_with_put
    Transmuxer_Discontinuity :: playback.Playback.test_a_restarted_source_is_marked_as_a_discontinuity
    Segmenter_DeleteSegments -- segments are cut by whoever sends them; what is kept is bounded: 'kept answers are bounded in bytes and forgotten in order'
    Segmenter_StreamOrdering -- as above
    Segmenter_DropLatePackets -- as above
    transcoder/TestNvidia_CheckFailCase :: 'broken files give what decodes with a warning, or a reason, and soon'
    TestLB_* :: 'random operations keep every promise'; 'a table grants as many slots as it has and no more'; topology.Topology.test_two_sessions_go_to_two_transcoders
    TestManageTranscoders :: faults.Faults.test_a_killed_transcoder_costs_no_segment; faults.Faults.test_a_drained_transcoder_finishes_what_it_has_and_leaves
    TestSelectTranscoder :: topology.Topology.test_two_sessions_go_to_two_transcoders
    TestCompleteStreamSession :: sessions.Sessions.test_ending_a_session_frees_its_slot_at_once
    TestTranscoderManagerTranscoding :: 'errors decide by kind'
    TestTaskChan :: 'results of superseded attempts are recognised and dropped'
    TestOrchCheckCapacity :: refusals.NoRoom.test_the_operators_limit_and_the_transcoders_slots_cap_sessions_and_say_so
    TestAuthToken :: sessions.Sessions.test_a_token_nobody_gave_out_is_unauthorized
    TestTranscodeResults_* :: 'a result that does not add up is refused, and three of them quarantine'
    TestRemoteTranscoder_* :: "a lost transcoder's segments go elsewhere at once, also beyond the retry budget"
    TestServeSegment_* :: wrong_input.WrongInput.test_what_the_head_gives_away_is_refused_before_the_body; wrong_input.WrongInput.test_what_only_bytes_can_tell_is_refused_when_they_tell_it
"""

import re
import unittest

from support import claims
from support.media import ROOT

REFERENCE = ROOT.parent / "shared" / "reference" / "livepeer-features.md"


def names_in_reference():
    """The names in the first column of the list; some are ends of names only ("Test_SignDataCreate/Compare"). Twins in
    brackets are left away."""
    section = REFERENCE.read_text().split("### 4.7")[1].split("\n---")[0]
    for line in section.splitlines():
        if not line.startswith("| ") or line.startswith(("| Test ", "|---")):
            continue
        cell = re.sub(r"\([^)]*\)|go-livepeer|transcoder/|`", "", line.split("|")[1])
        yield from (name.strip() for name in re.split("[,/]", cell) if name.strip())


class Table(unittest.TestCase):
    TABLE = claims.rows(__doc__)

    def test_every_test_that_the_table_names_exists(self):
        self.assertGreater(len(self.TABLE), 80)
        claims.check_references(self, self.TABLE)

    def test_no_name_of_the_list_is_missing(self):
        if not REFERENCE.exists():
            self.skipTest("the list of LPMS's tests is not beside the repository")
        ours = [name for name, _ in self.TABLE]
        named = list(names_in_reference())
        self.assertGreater(len(named), 80)
        for name in named:
            with self.subTest(name=name):
                self.assertTrue(any(own.endswith(name) for own in ours), name)


if __name__ == "__main__":
    unittest.main()
