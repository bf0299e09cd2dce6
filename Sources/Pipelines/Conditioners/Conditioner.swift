import Models
import Tensors

/// What a user asks for in one sample.
public struct Prompt: Hashable, Sendable, ExpressibleByStringLiteral {
  /// The words: a text, or the name or number of a class. Empty for no condition.
  public var text: String

  /// Makes a prompt.
  public init(_ text: String) { self.text = text }

  /// Makes a prompt of a literal.
  public init(stringLiteral text: String) { self.text = text }
}

/// What turns prompts into the arrays that a network is conditioned on.
///
/// Prompts become arrays on the host, and these, in a traced program, become conditions: a text encoder
/// turns tokens into features there; class indices stay as they are.
public protocol Conditioner: Sendable {
  /// The arrays that prompts become, for one sample each.
  var inputs: [InputSpec] { get }

  /// The arrays of prompts, one row each.
  ///
  /// - Throws: `PipelineError` for a prompt that means nothing to the network.
  func prepare(_ prompts: [Prompt]) throws -> Named<HostArray>

  /// Checks arrays that did not come from prompts, such as a data set's.
  ///
  /// - Parameter source: what messages call the data.
  /// - Throws: `PipelineError` for values that mean nothing to the network.
  func check(_ arrays: Named<HostArray>, source: String) throws

  /// The conditions of arrays, one row each.
  func callAsFunction(_ arrays: Named<Tensor>) -> Named<Tensor>

  /// Conditions that say nothing, for as many rows.
  func unconditional(_ arrays: Named<Tensor>) -> Named<Tensor>
}

extension ModelConfig {
  /// What conditions the network, by what it takes beside samples.
  public var conditioner: any Conditioner { classes > 0 ? ClassLabels(classes) : NoCondition() }
}

/// The conditioner of a network that takes samples alone; prompts are not looked at.
public struct NoCondition: Conditioner {
  /// Nothing.
  public var inputs: [InputSpec] { [] }
  /// Nothing.
  public func prepare(_ prompts: [Prompt]) -> Named<HostArray> { Named() }
  /// Nothing is looked at.
  public func check(_ arrays: Named<HostArray>, source: String) {}
  /// Nothing.
  public func callAsFunction(_ arrays: Named<Tensor>) -> Named<Tensor> { Named() }
  /// Nothing.
  public func unconditional(_ arrays: Named<Tensor>) -> Named<Tensor> { Named() }
}
