import Flow
import Models
import Pictures
import Pipelines
import Synchronization

/// Turns requests into jobs, and jobs into pictures of the size that was asked for.
final class PictureService: Sendable {
  /// The models.
  let models: ServedModels
  /// The jobs that wait.
  let queue: PictureQueue
  /// What is counted.
  let metrics: ServerMetrics
  /// What a request may ask for.
  let limits: ServerLimits

  private let nextID = Atomic<UInt64>(1)
  private let hashes = HashCache()

  init(
    _ models: ServedModels, _ queue: PictureQueue, _ metrics: ServerMetrics, _ limits: ServerLimits
  ) {
    (self.models, self.queue, self.metrics, self.limits) = (models, queue, metrics, limits)
  }

  /// What happens to the pictures of a request.
  enum Event: Sendable {
    /// A step of a picture by its number, and what the step predicts where it was asked for.
    case step(picture: Int, Int, of: Int, preview: RGBImage?)
    /// A picture by its number.
    case finished(picture: Int, RGBImage, PictureTiming)
    /// The request has failed.
    case failed(any Error)
  }

  /// Pictures that are being made.
  struct Order: Sendable {
    /// The name of the model.
    let model: String
    /// The request of the first picture; those of the others differ in the seed.
    let request: ResolvedRequest
    /// The size of the pictures in the end.
    let size: ImageSize
    /// The number of pictures.
    let count: Int
    /// The tokens of the prompt.
    let promptTokens: Int
    /// The tokens of a picture.
    let imageTokens: Int
    /// What repeats the first picture.
    let firstRecord: PictureRecord
    /// What happens. To stop listening cancels what is not made yet.
    let events: AsyncStream<Event>

    /// What repeats the picture with a seed.
    func record(seed: UInt64) -> PictureRecord {
      var record = firstRecord
      record.seed = seed
      return record
    }
  }

  /// Queues the pictures of a request.
  ///
  /// - Parameter client: whom they are for, which decides whose turn it is.
  /// - Throws: `ServedModels.Failure`, `PipelineError` for a request that the model cannot fulfil,
  ///   `PictureQueue.Refusal`.
  func order(_ fields: PictureFields, client: String) throws -> Order {
    let name = try models.name(of: fields.model)
    let key = ServedModelKey(name: name, loras: fields.loras)
    let pipeline = try models.pipeline(key)
    let sizes = ServedSize(fields.size, pipeline, like: fields.images)
    let source = try source(fields, sizes.made, pipeline)
    var request = ImageRequest(prompt: fields.prompt)
    (request.negative, request.guidance) = Self.guidance(fields, pipeline)
    (request.size, request.steps) = (sizes.made, fields.steps)
    if let style = fields.style {
      var settings = SamplerSettings.preset(fields.steps ?? 1)
      settings.style = style
      request.sampler = settings
    }
    request.seed = fields.seed ?? .random(in: 0...UInt64(UInt32.max))
    if pipeline.isAnyStep, request.steps == nil { request.steps = 1 }
    let references = source?.use == .references ? source!.images : []
    let first = try pipeline.resolve(request, editing: references)
    let requests =
      try [first]
      + (1..<max(1, fields.count)).map { number in
        var own = request
        own.seed &+= UInt64(number)
        return try pipeline.resolve(own, editing: references)
      }
    let tokens = references.isEmpty ? try pipeline.tokens([fields.prompt]).counts[0] : 0
    var record = try pipeline.record(of: first, requested: request, model: name, images: [], hashes)
    // Requests and answers name no files of the server.
    record.replaced = [:]
    record.loras = []
    let (events, continuation) = AsyncStream.makeStream(of: Event.self)
    let shared = Left(count: requests.count)
    let previews = Self.previews(fields.previews, of: first.schedule.count)
    let jobs = requests.enumerated().map { number, request in
      PictureJob(
        id: nextID.wrappingAdd(1, ordering: .relaxed).oldValue, client: client, request: request,
        model: key, source: source, previews: previews
      ) { event in
        switch event {
        case .started: break
        case .step(let step, let total, let preview):
          continuation.yield(.step(picture: number, step, of: total, preview: preview))
        case .finished(let picture, let timing):
          continuation.yield(.finished(picture: number, sizes.finished(picture), timing))
          if shared.isLast() { continuation.finish() }
        case .failed(let error):
          continuation.yield(.failed(error))
          continuation.finish()
        }
      }
    }
    continuation.onTermination = { _ in for job in jobs { job.cancel() } }
    do {
      try queue.add(jobs)
    } catch {
      metrics.refused(jobs.count)
      throw error
    }
    return Order(
      model: name, request: first, size: sizes.wanted, count: jobs.count, promptTokens: tokens,
      imageTokens: pipeline.tokenCount(first.size), firstRecord: record, events: events)
  }

  /// Counts the pictures of a request that are not made.
  private final class Left: Sendable {
    private let count: Atomic<Int>
    init(count: Int) { self.count = Atomic(count) }
    func isLast() -> Bool { count.wrappingSubtract(1, ordering: .relaxed).newValue == 0 }
  }

  /// The negative prompt and the scale of guidance of a request.
  private static func guidance(
    _ fields: PictureFields, _ pipeline: ImagePipeline
  ) -> (negative: String?, scale: Double?) {
    guard fields.guidanceIsLenient else { return (fields.negative, fields.guidance) }
    guard !pipeline.isAnyStep else { return (nil, nil) }
    let start = pipeline.kind.guidanceStart
    let scale = fields.guidance.map { max(0, $0 - 1 + start) }
    let isGuided = (scale ?? pipeline.standardGuidance ?? 0) > start
    return (isGuided ? fields.negative : nil, scale)
  }

  /// The numbers of the steps after which previews are sent, evenly over a run; the last step gives the
  /// picture itself.
  static func previews(_ count: Int, of steps: Int) -> Set<Int> {
    guard count > 0, steps > 1 else { return [] }
    let most = min(count, steps - 1)
    return Set((1...most).map { $0 * steps / (most + 1) }.map { max(1, $0) })
  }

  /// The images of a request, as the model uses them.
  private func source(
    _ fields: PictureFields, _ size: ImageSize?, _ pipeline: ImagePipeline
  ) throws -> PictureSource? {
    guard !fields.images.isEmpty else { return nil }
    let id = nextID.wrappingAdd(1, ordering: .relaxed).oldValue
    if pipeline.kind.references != nil {
      return PictureSource(id: id, images: fields.images, use: .references, mask: nil)
    }
    let size = size ?? pipeline.standardSize(editing: [])
    return PictureSource(
      id: id, images: [fields.images[0]], use: .start(strength: fields.strength),
      mask: fields.mask?.covering(size))
  }
}

extension PictureFields.MaskImage {
  /// The values for a size, as an image is resized to cover it; by the nearest pixel.
  func covering(_ size: ImageSize) -> [Float] {
    let scale = max(
      Double(size.width) / Double(width), Double(size.height) / Double(height))
    let (left, top) = (
      (Double(width) - Double(size.width) / scale) / 2,
      (Double(height) - Double(size.height) / scale) / 2
    )
    var covering: [Float] = []
    covering.reserveCapacity(size.width * size.height)
    for row in 0..<size.height {
      let y = min(height - 1, max(0, Int(top + (Double(row) + 0.5) / scale)))
      for column in 0..<size.width {
        let x = min(width - 1, max(0, Int(left + (Double(column) + 0.5) / scale)))
        covering.append(values[y * width + x])
      }
    }
    return covering
  }
}
