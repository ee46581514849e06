with interest as (
    select * from {{ ref('int_interest_accrued') }}
),

trailing_fees as (
    select * from {{ ref('int_trailing_fees_accrued') }}
),

accounts as (
    select * from {{ ref('stg_gold__accounts') }}
),

both_kinds as (
    select
        business_line,
        account_id,
        accrual_kind,
        product_kind,
        accrual_date,
        business_date,
        accrued_amount,
        collected_amount,
        unpaid_amount
    from interest
    union all
    select
        business_line,
        account_id,
        accrual_kind,
        product_kind,
        accrual_date,
        business_date,
        accrued_amount,
        -- settled between the fund's manager and the seller: no counter delivers it
        cast(0 as decimal(18, 2)) as collected_amount,
        cast(null as decimal(18, 2)) as unpaid_amount
    from trailing_fees
),

final as (
    select
        both_kinds.business_date,
        both_kinds.accrual_date,
        both_kinds.business_line,
        both_kinds.account_id,
        coalesce(accounts.customer_id, 'unlinked') as customer_id,
        coalesce(accounts.branch_id, 'unassigned') as branch_id,
        both_kinds.accrual_kind,
        both_kinds.product_kind,
        both_kinds.accrued_amount,
        cast(both_kinds.collected_amount as decimal(18, 2)) as collected_amount,
        both_kinds.unpaid_amount
    from both_kinds
    left join accounts
        on
            both_kinds.business_line = accounts.business_line
            and both_kinds.account_id = accounts.account_id
            and both_kinds.business_date = accounts.business_date
    where
        both_kinds.accrued_amount != 0
        or both_kinds.collected_amount != 0
        or both_kinds.unpaid_amount != 0
)

select * from final
