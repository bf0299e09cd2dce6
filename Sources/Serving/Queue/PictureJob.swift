import Flow
import Models
import Pictures
import Pipelines
import Synchronization

/// One picture that a client waits for.
final class PictureJob: Sendable {
  /// What happens to a job.
  enum Event: Sendable {
    /// Its batch has started.
    case started
    /// A step is made: its number from 1, the number of steps, and what the step predicts, where a
    /// preview was asked for.
    case step(Int, of: Int, preview: RGBImage?)
    /// The picture.
    case finished(RGBImage, PictureTiming)
    /// The job has failed.
    case failed(any Error)
  }

  /// Which jobs can be made in one batch: those whose keys are equal.
  struct BatchKey: Hashable, Sendable {
    /// The model with its LoRA.
    let model: ServedModelKey
    /// The size of the pictures.
    let size: ImageSize
    /// The schedule of the steps.
    let schedule: ResolvedRequest.Schedule
    /// The scale of guidance; nil for none.
    let guidance: Double?
    /// A number that the jobs with one set of images share; nil without images.
    let images: UInt64?
  }

  /// A number of its own.
  let id: UInt64
  /// Whom it is for: jobs of different clients take turns.
  let client: String
  /// What is to be made.
  let request: ResolvedRequest
  /// What it can share a batch with.
  let key: BatchKey
  /// The images that it starts from or refers to.
  let source: PictureSource?
  /// The numbers of the steps after which a preview is wanted.
  let previews: Set<Int>
  /// When it was queued.
  let queued: ContinuousClock.Instant

  private let send: @Sendable (Event) -> Void
  private let cancelled = Atomic(false)

  init(
    id: UInt64, client: String, request: ResolvedRequest, model: ServedModelKey,
    source: PictureSource? = nil, previews: Set<Int> = [],
    send: @escaping @Sendable (Event) -> Void
  ) {
    (self.id, self.client, self.request, self.source) = (id, client, request, source)
    (self.previews, self.send) = (previews, send)
    key = BatchKey(
      model: model, size: request.size, schedule: request.schedule, guidance: request.guidance,
      images: source?.id)
    queued = .now
  }

  /// Whether nobody waits for it any more.
  var isCancelled: Bool { cancelled.load(ordering: .relaxed) }

  /// Notes that nobody waits for it.
  func cancel() { cancelled.store(true, ordering: .relaxed) }

  /// Tells whoever waits.
  func tell(_ event: Event) { if !isCancelled { send(event) } }
}

/// The images of a job.
struct PictureSource: Sendable {
  /// How they are used.
  enum Use: Hashable, Sendable {
    /// The model edits them by the prompt.
    case references
    /// The picture starts from the first one with noise added, and keeps less of it the larger the
    /// strength is: Meng and others, "SDEdit", 2022.
    case start(strength: Double)
  }

  /// A number that all jobs with these images share.
  let id: UInt64
  /// The images.
  let images: [RGBImage]
  /// How they are used.
  let use: Use
  /// Where the picture may differ from the first image, from 0 to 1 for each pixel; nil for everywhere.
  let mask: [Float]?
}

/// How long the parts of a job took, in milliseconds.
struct PictureTiming: Hashable, Sendable, Codable {
  /// Until its batch started.
  var queue = 0.0
  /// To encode the prompts.
  var text = 0.0
  /// To denoise.
  var denoising = 0.0
  /// To decode.
  var decoding = 0.0
  /// The number of pictures in its batch.
  var batch = 1

  private enum CodingKeys: String, CodingKey {
    case queue = "queue_ms"
    case text = "text_ms"
    case denoising = "denoise_ms"
    case decoding = "decode_ms"
    case batch
  }
}

extension PictureSource {
  /// A picture that equals the first image where the mask keeps it; the picture itself without a mask.
  func composed(_ picture: RGBImage) -> RGBImage {
    guard let mask else { return picture }
    let kept = images[0].covering(width: picture.width, height: picture.height)
    var values = picture.values
    for pixel in mask.indices where mask[pixel] < 1 {
      for place in (3 * pixel)..<(3 * pixel + 3) {
        let mixed =
          mask[pixel] * Float(picture.values[place]) + (1 - mask[pixel]) * Float(kept.values[place])
        values[place] = UInt8(mixed.rounded())
      }
    }
    return RGBImage(width: picture.width, height: picture.height, values: values)
  }
}
