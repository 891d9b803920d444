#pragma once
// Values between Cap'n Proto (schemas/values.capnp) and common/domain. Internal to
// common/wire/*.cpp: the only header that shows a generated type, and nothing outside this
// directory may include it.
//
// put() fills a builder; get() reads, checks every bound and throws Malformed or Unfamiliar
// (fields.h), so it is called inside open_message() only.
//
// Thread: any; free functions without state.

#include "common/domain/capacity.h"
#include "common/domain/rendition.h"
#include "common/domain/segment.h"
#include "common/wire/fields.h"
#include "schemas/values.capnp.h"

namespace millrace::wire {

void put(schema::Ladder::Builder out, const Ladder& ladder);
[[nodiscard]] Ladder get(schema::Ladder::Reader in);  // 0..kRenditionsMax renditions

void put(schema::SegmentKey::Builder out, const SegmentKey& key);
[[nodiscard]] SegmentKey get(schema::SegmentKey::Reader in);

void put(schema::SeamContext::Builder out, const SeamContext& seam);
[[nodiscard]] SeamContext get(schema::SeamContext::Reader in);

void put(schema::SourceInfo::Builder out, const SourceInfo& source);
[[nodiscard]] SourceInfo get(schema::SourceInfo::Reader in);

void put(schema::RenditionReport::Builder out, const RenditionReport& report);
[[nodiscard]] RenditionReport get(schema::RenditionReport::Reader in);

void put(schema::SpliceMarker::Builder out, const SpliceMarker& splice);
[[nodiscard]] SpliceMarker get(schema::SpliceMarker::Reader in);

void put(schema::TranscodeReport::Builder out, const TranscodeReport& report);
[[nodiscard]] TranscodeReport get(schema::TranscodeReport::Reader in);

void put(schema::Cost::Builder out, const Cost& cost);
[[nodiscard]] Cost get(schema::Cost::Reader in);
void put(schema::CpuBudget::Builder out, const CpuBudget& cpu);
[[nodiscard]] CpuBudget get(schema::CpuBudget::Reader in);

void put(schema::Capabilities::Builder out, const Capabilities& capabilities);
[[nodiscard]] Capabilities get(schema::Capabilities::Reader in);

void put(schema::Device::Builder out, const Device& device);
[[nodiscard]] Device get(schema::Device::Reader in);

[[nodiscard]] SessionId session_id(capnp::Text::Reader in, std::string_view field);

}  // namespace millrace::wire
