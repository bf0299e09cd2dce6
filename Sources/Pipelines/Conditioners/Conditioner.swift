import Models
import Tensors

/// The request for one sample.
public struct Prompt: Hashable, Sendable, ExpressibleByStringLiteral {
  /// The text, or the name or number of a class; empty for no condition.
  public var text: String

  /// Makes a prompt.
  public init(_ text: String) { self.text = text }

  /// Makes a prompt from a literal.
  public init(stringLiteral text: String) { self.text = text }
}

/// The conditioning of a network on prompts.
///
/// Prompts are turned into arrays on the host, and in a traced program these are turned into
/// conditions: a text encoder turns tokens into features; class indices stay unchanged.
public protocol Conditioner: Sendable {
  /// The arrays that prompts are turned into, for one sample each.
  var inputs: [InputSpec] { get }

  /// The arrays for prompts, one row each.
  ///
  /// - Throws: `PipelineError` for a prompt that the network does not support.
  func prepare(_ prompts: [Prompt]) throws -> Named<HostArray>

  /// Checks arrays that did not come from prompts, such as a data set's.
  ///
  /// - Parameter source: the name of the data in messages.
  /// - Throws: `PipelineError` for values that the network does not support.
  func check(_ arrays: Named<HostArray>, source: String) throws

  /// The conditions from arrays, one row each.
  func callAsFunction(_ arrays: Named<Tensor>) -> Named<Tensor>

  /// The empty conditions for the same number of rows.
  func unconditional(_ arrays: Named<Tensor>) -> Named<Tensor>
}

extension ModelConfig {
  /// The conditioner for the inputs that the network takes besides samples.
  public var conditioner: any Conditioner {
    if let text {
      return EncodedText(
        tokens: text.shape[0], width: text.shape[1], dtype: text.dtype,
        pooled: pooledText?.shape[0])
    }
    return classes > 0 ? ClassLabels(classes) : NoCondition()
  }
}

/// The conditioner of an unconditional network; prompts are ignored.
public struct NoCondition: Conditioner {
  /// None.
  public var inputs: [InputSpec] { [] }
  /// No arrays.
  public func prepare(_ prompts: [Prompt]) -> Named<HostArray> { Named() }
  /// Accepts everything.
  public func check(_ arrays: Named<HostArray>, source: String) {}
  /// No arrays.
  public func callAsFunction(_ arrays: Named<Tensor>) -> Named<Tensor> { Named() }
  /// No arrays.
  public func unconditional(_ arrays: Named<Tensor>) -> Named<Tensor> { Named() }
}
