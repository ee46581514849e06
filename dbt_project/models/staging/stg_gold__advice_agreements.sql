with source as (
    select * from {{ source('gold', 'advice_agreements') }}
),

final as (
    select
        business_line,
        agreement_id,
        business_date,
        customer_id,
        portfolio_amount,
        end_date,
        agreement_status
    from source
    where {{ is_loaded_date('business_date') }}
)

select * from final
